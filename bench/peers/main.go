// Command peers measures this proxy beside nginx, HAProxy and Caddy, as far as
// they are installed, and writes what it found to bench/RESULTS.md.
//
// Every proxy has one core, the load and the backends share the other. The
// rounds are interleaved (A B C A B C ...), ratios are taken round by round,
// and ours and nginx run twice: what differs less than one and the same is a
// tie. Each shape of load has processes, rounds and a section of the page of its
// own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"go-proxy/bench/lab"
)

// options are how long and how often.
type options struct {
	rounds   int
	spare    int           // measurements that may be repeated in each shape
	time     time.Duration // of a measurement
	warmUp   time.Duration // of one in a round before, which does not count
	binaries string
	page     string // "" for standard output
	command  string // that was given to get here, for the page
}

func main() {
	var o options
	list := flag.String("shapes", keys(), "shapes of load to measure")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of each shape")
	flag.IntVar(&o.spare, "spare", 20, "measurements of each shape that may be repeated because others disturbed them")
	flag.DurationVar(&o.time, "time", time.Second, "of one measurement")
	flag.DurationVar(&o.warmUp, "warm-up", time.Second, "of one in the first round, which does not count; 0: there is none")
	flag.StringVar(&o.binaries, "binaries", "bin/bench", "folder of the programs built by make")
	flag.StringVar(&o.page, "page", "bench/RESULTS.md", "file whose sections are replaced by the results; empty: standard output")
	flag.StringVar(&o.command, "command", "make bench-peers", "how to get the page again, for the page")
	flag.Parse()
	lab.Main("peers", func(ctx context.Context) error {
		if err := lab.Stay(lab.LoadCore); err != nil { // for lab.Pace is load
			return err
		}
		chosen, err := choose(*list)
		if err != nil {
			return err
		}
		return run(ctx, o, chosen)
	})
}

// run measures the shapes. What fails in one does not cost the others' figures.
func run(ctx context.Context, o options, chosen []shape) (failed error) {
	for _, s := range chosen {
		if err := measure(ctx, o, s); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.title, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func measure(ctx context.Context, o options, s shape) error {
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, shape: s, dir: dir}
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	return b.report()
}
