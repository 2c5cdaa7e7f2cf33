package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"go-proxy/bench/lab"
)

// bench is everything that runs for a shape, and what was measured of it.
type bench struct {
	options
	shape   shape
	dir     string
	backend *lab.Process
	rows    []*row
	missing []string   // peers that are not installed
	tool    string     // what makes the load
	paces   [2]float64 // requests per second of the latency rounds

	repeated int     // measurements that others had disturbed
	foreign  float64 // share of a core that others took at most in the rest
}

// row is a program with its figures, one a round.
type row struct {
	peer
	process *lab.Process
	out     *os.File
	cpu     []time.Duration // per request
	rate    []float64
	paced   [2]paced // at the fixed rates
	errors  int
	peak    int64
}

// paced are a program's figures at a fixed rate, one a round.
type paced struct {
	p50, p99, cpu []time.Duration
	rate          []float64 // reached
}

// start starts the backends and all programs. A program that is not measured
// just now is idle.
func (b *bench) start(ctx context.Context) error {
	backends := make([]string, lab.BackendCount)
	for i := range backends {
		var err error
		if backends[i], err = lab.FreeAddr(); err != nil {
			return err
		}
	}
	var err error
	b.backend, err = lab.Start(ctx, lab.Program{Name: "backend", Path: b.binary("backend"), Args: backends,
		Core: lab.LoadCore, Addr: backends[lab.BackendCount-1]})
	if err != nil {
		return err
	}
	for i, p := range b.peers(backends[0]) {
		if err := b.startRow(ctx, p, site{Backends: backends, Dir: filepath.Join(b.dir, fmt.Sprint(i))}); err != nil {
			return err
		}
	}
	b.tool = "wrk"
	if _, err := exec.LookPath("wrk"); err != nil {
		b.tool = "hey"
	}
	return nil
}

// peers are the rows in their order. That of nginx, if any, is the first: the
// others are compared with it.
func (b *bench) peers(backend string) []peer {
	rows, missing := others()
	b.missing = missing
	proxy, noPGO := b.binary("reverse_proxy"), b.binary("reverse_proxy-nopgo")
	// Ours come next to nginx, for machines are not the same from one second to
	// the next.
	rows = slices.Insert(rows, min(1, len(rows)), ours(self, proxy), ours(again, proxy), ours(reference, proxy, onReference))
	if !b.shape.full {
		return rows
	}
	if first := rows[0]; first.name != self { // what we are compared with has a tie of its own, which latency needs
		first.name, first.version = first.name+" (again)", nil
		rows = slices.Insert(rows, 3, first)
	}
	return append(rows,
		variant(reference+" (again)", proxy),
		variant("PGO, no ballast", proxy, "GOGC=100"),
		variant("no PGO, ballast", noPGO),
		variant("no PGO, no ballast", noPGO, "GOGC=100"),
		variant("PGO, GOGC=400", proxy, "GOGC=400"),
		peer{name: "plain httputil", path: b.binary("plain"),
			args: func(s site) []string { return []string{s.Addr, "http://" + backend} }},
	)
}

const (
	self      = "go-proxy"
	again     = "go-proxy (again)"
	reference = "net/http plane"
)

func (b *bench) binary(name string) string { return filepath.Join(b.binaries, name) }

func (b *bench) startRow(ctx context.Context, p peer, s site) error {
	if err := os.Mkdir(s.Dir, 0o777); err != nil {
		return err
	}
	// The workers of some give up root's rights.
	if err := os.Chmod(s.Dir, 0o777); err != nil {
		return err
	}
	var err error
	if s.Addr, err = lab.FreeAddr(); err != nil {
		return err
	}
	program, err := p.program(s)
	if err != nil {
		return err
	}
	r := &row{peer: p}
	if r.out, err = os.Create(filepath.Join(s.Dir, "output")); err != nil {
		return err
	}
	program.Out, program.Err = r.out, r.out
	b.rows = append(b.rows, r)
	r.process, err = lab.Start(ctx, program)
	return err
}

// stop ends the programs before the backends behind them.
func (b *bench) stop() {
	for _, r := range b.rows {
		if r.process != nil {
			r.process.Stop()
		}
		r.out.Close()
	}
	if b.backend != nil {
		b.backend.Stop()
	}
}
