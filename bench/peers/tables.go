package main

import (
	"fmt"
	"slices"
	"time"

	"go-proxy/bench/lab"
)

// costs compares with the first row, HAProxy and Caddy, as far as they are
// there.
func (b *bench) costs() *lab.Table {
	base, haproxy, caddy := b.rows[0], b.row("HAProxy"), b.row("Caddy")
	t := lab.NewTable("", "CPU us/request", "of "+base.name, "of HAProxy", "of Caddy", "requests/s", "of "+base.name, "errors", "peak MiB")
	for _, r := range b.rows {
		if r.variant {
			continue
		}
		t.Row(r.name, micros(lab.Median(r.cpu)),
			lab.Spread(lab.Ratios(r.cpu, base.cpu)), lab.Spread(lab.Ratios(r.cpu, haproxy.cpu)), lab.Spread(lab.Ratios(r.cpu, caddy.cpu)),
			fmt.Sprintf("%.0f", lab.Median(r.rate)), lab.Spread(lab.Ratios(r.rate, base.rate)), r.errors, mebibytes(r.peak))
	}
	return t
}

// latencies are those at one of the fixed rates.
func (b *bench) latencies(pace int) *lab.Table {
	base := b.rows[0].paced[pace]
	t := lab.NewTable("", "p50 ms", "p99 ms", "of "+b.rows[0].name, "smallest p99", "largest p99", "requests/s reached", "CPU us/request", "of "+b.rows[0].name)
	for _, r := range b.rows {
		if r.variant {
			continue
		}
		p := r.paced[pace]
		t.Row(r.name, lab.Millis(lab.Median(p.p50)), lab.Millis(lab.Median(p.p99)), lab.Spread(lab.Ratios(p.p99, base.p99)), lab.Millis(slices.Min(p.p99)), lab.Millis(slices.Max(p.p99)),
			fmt.Sprintf("%.0f", lab.Median(p.rate)), micros(lab.Median(p.cpu)), lab.Spread(lab.Ratios(p.cpu, base.cpu)))
	}
	return t
}

// settings compares the net/http plane with what it is without its settings.
func (b *bench) settings() *lab.Table {
	base := b.row(reference)
	t := lab.NewTable("", "CPU us/request", "of "+reference, "of "+b.rows[0].name, "peak MiB")
	for _, r := range b.rows {
		if r.variant || r == base {
			t.Row(r.name, micros(lab.Median(r.cpu)), lab.Spread(lab.Ratios(r.cpu, base.cpu)),
				lab.Spread(lab.Ratios(r.cpu, b.rows[0].cpu)), mebibytes(r.peak))
		}
	}
	return t
}

// row is the one of that name; one without figures if there is none.
func (b *bench) row(name string) *row {
	for _, r := range b.rows {
		if r.name == name {
			return r
		}
	}
	return new(row)
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e6) }
func mebibytes(n int64) string      { return fmt.Sprintf("%.0f", float64(n)/(1<<20)) }
