// Command peers measures this proxy beside nginx, HAProxy and Caddy, as far as
// they are installed, and writes what it found to bench/RESULTS.md.
//
// Every proxy has one core, the load and the backends share the other. The
// rounds are interleaved (A B C A B C ...), ratios are taken round by round,
// and one program runs twice: what differs less than those two is a tie.
package main

import (
	"context"
	"flag"
	"os"
	"time"

	"go-proxy/bench/lab"
)

// options are how long and how often.
type options struct {
	rounds      int
	spare       int           // measurements that may be repeated
	time        time.Duration // of a measurement; whole seconds, for wrk
	connections int
	binaries    string
	page        string // "" for standard output
	command     string // that was given to get here, for the page
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 9, "rounds")
	flag.IntVar(&o.spare, "spare", 40, "measurements that may be repeated because others disturbed them")
	flag.DurationVar(&o.time, "time", time.Second, "of one measurement, in whole seconds")
	flag.IntVar(&o.connections, "connections", 64, "connections of the load")
	flag.StringVar(&o.binaries, "binaries", "bin/bench", "folder of the programs built by make")
	flag.StringVar(&o.page, "page", "bench/RESULTS.md", "file whose section is replaced by the results; empty: standard output")
	flag.StringVar(&o.command, "command", "make bench-peers", "how to get the page again, for the page")
	flag.Parse()
	lab.Main("peers", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir}
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	return b.report()
}
