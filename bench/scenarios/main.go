// Command scenarios loads the proxy with hey, one scenario after the other,
// and prints for each what clients saw and what it cost the proxy. A request
// that fails where none may fails the run; how long one takes never does.
//
// On a machine of two cores the load generator is most of the load, so
// requests a second say little: CPU per request is the figure that holds.
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"go-proxy/bench/lab"
)

func main() {
	var o options
	flag.DurationVar(&o.time, "time", 5*time.Second, "of each scenario")
	flag.StringVar(&o.binaries, "binaries", "bin/bench", "folder of the programs built by make")
	flag.StringVar(&o.program, "program", "reverse_proxy", "the proxy among them")
	flag.StringVar(&o.page, "page", "", "file whose section is replaced by the results")
	flag.Parse()
	lab.Main("scenarios", func(ctx context.Context) error { return run(ctx, o) })
}

const explained = "- Load: hey, on the core of the three backends; the proxy has the other. Where backends restart, the requests that are on their way to one get a 502.\n\n"

func run(ctx context.Context, o options) error {
	l, err := newStand(ctx, o)
	if err != nil {
		return err
	}
	defer l.stop()
	table := lab.NewTable("plane", "scenario", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed", "CPU us/request", "peak MiB")
	var failure error
	for _, s := range scenarios(o.time) {
		r, err := l.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s in plane %s: %w", s.name, s.plane, err)
		}
		table.Row(s.plane, s.name, fmt.Sprintf("%.0f", r.Rate), lab.Millis(r.P50), lab.Millis(r.P95), lab.Millis(r.P99), r.Bad(),
			fmt.Sprintf("%.1f", r.cpu.Seconds()*1e6), r.peak>>20)
		if err := s.judge(r.Load); err != nil && failure == nil {
			failure = fmt.Errorf("%s in plane %s: %w", s.name, s.plane, err)
		}
	}
	text := "## Scenarios\n\n" + lab.Origin("make bench") + explained + table.String()
	if err := lab.Write(o.page, "scenarios", text); err != nil {
		return err
	}
	return failure
}
