package main

import (
	"fmt"
	"runtime"
	"strings"

	"go-proxy/bench/lab"
)

// report writes the shape's section, and fails if a program answered with
// errors.
func (b *bench) report() error {
	section, text := "peers "+b.shape.key, b.costOnly
	if b.shape.full {
		section, text = "peers", b.everything
	}
	if err := lab.Write(b.page, section, text()); err != nil {
		return err
	}
	for _, r := range b.rows {
		if r.errors > 0 {
			return fmt.Errorf("%s: %d requests failed", r.name, r.errors)
		}
	}
	return nil
}

const heading = "Beside others"

func (b *bench) everything() string {
	var text strings.Builder
	text.WriteString("## " + heading + "\n\n" + lab.Origin(b.command))
	fmt.Fprintf(&text, "- Every proxy on core %d, load and backends on core %d.\n", lab.ProxyCore, lab.LoadCore)
	text.WriteString(b.conditions())
	fmt.Fprintf(&text, "- Access logs on, all to files: nginx `buffer=32k flush=1s`, ours as it is by default, HAProxy unbuffered, Caddy as it likes; plain httputil has none.\n")
	fmt.Fprintf(&text, "- nginx buffers answers as by default: of one that its client does not take as fast as it comes it keeps 32 KiB in memory (`proxy_buffers`, 8 pages) and the rest, up to 1 GiB, in a temporary file (`proxy_max_temp_file_size`). None of the others keeps answers in files.\n")
	fmt.Fprintf(&text, "- Figures are medians, ratios are taken round by round: median (smallest-largest). \"(again)\" is the same program once more: what differs less is a tie.\n")
	fmt.Fprintf(&text, "- %s is as it is by default, with its own HTTP/1.1; \"%s\" is the same program with `%s`.\n", self, reference, onReference)
	fmt.Fprintf(&text, "\n### Cost at full load\n\n%s\n### Go's settings, at full load, in the net/http plane\n\n%s", b.costs(), b.settings())
	for i, rate := range b.paces {
		fmt.Fprintf(&text, "\n### Latency at %.0f requests/s\n\n%d rounds of %v.\n\n%s", rate, latencyRounds*b.rounds, latencyTime, b.latencies(i))
	}
	return text.String()
}

func (b *bench) costOnly() string {
	return fmt.Sprintf("## %s: %s\n\n%s%s- Cores, logs, figures and names are those of %q.\n\n%s",
		heading, b.shape.title, lab.Origin(b.command), b.conditions(), heading, b.costs())
}

// conditions are those that may differ from shape to shape.
func (b *bench) conditions() string {
	var text strings.Builder
	fmt.Fprintf(&text, "- Versions: %s.\n", strings.Join(b.versions(), "; "))
	if len(b.missing) > 0 {
		fmt.Fprintf(&text, "- Not installed: %s.\n", strings.Join(b.missing, ", "))
	}
	fmt.Fprintf(&text, "- Load: %s, %v, %d backends (lab.Backend, in Go, on raw sockets).\n", b.tool, b.shape, lab.BackendCount)
	fmt.Fprintf(&text, "- Rounds: %d, interleaved, %v each. A measurement is repeated when other programs took more than %.0f %% of a core; that happened %d times, of at most %d. In those that count they took up to %.0f %%.\n",
		b.rounds, b.time, disturbance*100, b.repeated, b.spare, max(b.foreign, 0)*100)
	return text.String()
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
