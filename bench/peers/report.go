package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"go-proxy/bench/lab"
)

// report writes the section, and fails if a program answered with errors.
func (b *bench) report() error {
	var text strings.Builder
	b.preamble(&text)
	fmt.Fprintf(&text, "\n### Cost at full load\n\n%s\n### Go's settings, at full load, in the net/http plane\n\n%s", b.costs(), b.settings())
	for i, rate := range b.paces {
		fmt.Fprintf(&text, "\n### Latency at %.0f requests/s\n\n%s", rate, b.latencies(i))
	}
	if err := lab.Write(b.page, "peers", text.String()); err != nil {
		return err
	}
	for _, r := range b.rows {
		if r.errors > 0 {
			return fmt.Errorf("%s: %d requests failed", r.name, r.errors)
		}
	}
	return nil
}

func (b *bench) preamble(text *strings.Builder) {
	text.WriteString("## Beside others\n\n" + lab.Origin(b.command))
	fmt.Fprintf(text, "- Every proxy on core %d, load and backends on core %d.\n", lab.ProxyCore, lab.LoadCore)
	fmt.Fprintf(text, "- Versions: %s.\n", strings.Join(b.versions(), "; "))
	if len(b.missing) > 0 {
		fmt.Fprintf(text, "- Not installed: %s.\n", strings.Join(b.missing, ", "))
	}
	fmt.Fprintf(text, "- Load: %s, %d keep-alive connections, GET, %d bytes of body, %d backends (lab.Backend, in Go, on raw sockets).\n",
		b.tool, b.connections, lab.SmallBody, lab.BackendCount)
	fmt.Fprintf(text, "- Rounds: %d, interleaved, %v each. A measurement is repeated when other programs took more than %.0f %% of a core; that happened %d times, of at most %d. In those that count they took up to %.0f %%.\n",
		b.rounds, b.time, disturbance*100, b.repeated, b.spare, max(b.foreign, 0)*100)
	fmt.Fprintf(text, "- Access logs on, all to files: nginx `buffer=32k flush=1s`, ours as it is by default, HAProxy unbuffered, Caddy as it likes; plain httputil has none.\n")
	fmt.Fprintf(text, "- Figures are medians, ratios are taken round by round: median (smallest-largest). \"(again)\" is the same program once more: what differs less is a tie.\n")
	fmt.Fprintf(text, "- %s is as it is by default, with its own HTTP/1.1; \"%s\" is the same program with `%s`.\n", self, reference, onReference)
}

func (b *bench) versions() []string {
	versions := []string{runtime.Version()}
	for _, r := range b.rows {
		if r.version != nil {
			versions = append(versions, r.name+": "+lab.Version(r.path, r.version...))
		}
	}
	if b.tool == "wrk" {
		versions = append(versions, "load: "+lab.Version("wrk", "-v"))
	}
	return versions
}

// costs compares with the first row and with Caddy, as far as they are there.
func (b *bench) costs() *lab.Table {
	base, caddy := b.rows[0], b.row("Caddy")
	t := lab.NewTable("", "CPU us/request", "of "+base.name, "of Caddy", "requests/s", "of "+base.name, "errors", "peak MiB")
	for _, r := range b.rows {
		if r.variant {
			continue
		}
		t.Row(r.name, micros(lab.Median(r.cpu)), lab.Spread(lab.Ratios(r.cpu, base.cpu)), lab.Spread(lab.Ratios(r.cpu, caddy.cpu)),
			fmt.Sprintf("%.0f", lab.Median(r.rate)), lab.Spread(lab.Ratios(r.rate, base.rate)), r.errors, mebibytes(r.peak))
	}
	return t
}

// latencies are those at one of the fixed rates.
func (b *bench) latencies(pace int) *lab.Table {
	base := b.rows[0].paced[pace]
	t := lab.NewTable("", "p50 ms", "p99 ms", "smallest p99", "largest p99", "requests/s reached", "CPU us/request", "of "+b.rows[0].name)
	for _, r := range b.rows {
		if r.variant {
			continue
		}
		p := r.paced[pace]
		t.Row(r.name, lab.Millis(lab.Median(p.p50)), lab.Millis(lab.Median(p.p99)), lab.Millis(slices.Min(p.p99)), lab.Millis(slices.Max(p.p99)),
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
