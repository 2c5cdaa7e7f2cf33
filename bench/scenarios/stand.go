package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go-proxy/bench/lab"
)

// restartEvery leaves time for the next probe, so that one backend is away at
// a time.
const restartEvery = time.Second

type options struct {
	time     time.Duration
	binaries string
	program  string
	page     string // "" for standard output
}

// stand is the proxy's address and those of its backends. Every scenario has a
// proxy of its own, so that its memory is known.
type stand struct {
	options
	addrs    []string
	backends []*lab.Process // nil for one that is dead
	out      *os.File       // the access log
}

// result is what a scenario showed.
type result struct {
	lab.Load
	cpu  time.Duration // per request
	peak int64
}

func newStand(ctx context.Context, o options) (*stand, error) {
	out, err := os.CreateTemp("", "bench-scenarios-")
	if err != nil {
		return nil, err
	}
	s := &stand{options: o, out: out, backends: make([]*lab.Process, lab.BackendCount)}
	for i := range s.backends {
		addr, err := lab.FreeAddr()
		if err != nil {
			return s, errors.Join(err, s.stop())
		}
		s.addrs = append(s.addrs, addr)
		if err := s.startBackend(ctx, i); err != nil {
			return s, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

func (s *stand) stop() error {
	for i := range s.backends {
		s.stopBackend(i)
	}
	s.out.Close()
	return os.Remove(s.out.Name())
}

func (s *stand) startBackend(ctx context.Context, i int) (err error) {
	s.backends[i], err = lab.Start(ctx, lab.Program{Name: "backend", Path: filepath.Join(s.binaries, "backend"),
		Args: s.addrs[i : i+1], Core: lab.LoadCore, Addr: s.addrs[i]})
	return err
}

func (s *stand) stopBackend(i int) {
	if s.backends[i] != nil {
		s.backends[i].Stop()
		s.backends[i] = nil
	}
}

// run starts a proxy and loads it.
func (s *stand) run(ctx context.Context, c scenario) (result, error) {
	if c.dead {
		s.stopBackend(0)
		defer func() { _ = s.startBackend(ctx, 0) }() // if it fails, so does the next scenario
	}
	addr, err := lab.FreeAddr()
	if err != nil {
		return result{}, err
	}
	proxy, err := lab.Start(ctx, lab.Program{Name: "proxy", Path: filepath.Join(s.binaries, s.program), Core: lab.ProxyCore, Addr: addr, Out: s.out, Err: s.out,
		Env: []string{"PROXY_LISTEN_ADDR=" + addr, "TARGET_BACKEND_URLS=http://" + strings.Join(s.addrs, ",http://"), "PROXY_PLANE=" + c.plane, "HEALTH_CHECK_INTERVAL=500ms"}})
	if err != nil {
		return result{}, err
	}
	defer proxy.Stop()
	return s.load(ctx, c, proxy)
}

func (s *stand) load(ctx context.Context, c scenario, proxy *lab.Process) (r result, err error) {
	if c.restarts {
		restarted := make(chan error, 1)
		go func() { restarted <- s.restart(ctx, restarts(c.time), min(restartEvery, c.time/2)) }()
		defer func() { err = errors.Join(err, <-restarted) }()
	}
	before, err := proxy.Usage()
	if err != nil {
		return r, err
	}
	if r.Load, err = lab.Hey(ctx, lab.LoadCore, c.args(proxy.Addr)...); err != nil {
		return r, err
	}
	after, err := proxy.Usage()
	if err != nil {
		return r, err
	}
	r.cpu, r.peak = (after.CPU-before.CPU)/time.Duration(max(1, r.Requests)), after.Peak
	return r, nil
}

// restart stops and starts the backends in turn.
func (s *stand) restart(ctx context.Context, times int, every time.Duration) error {
	for i := range times {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
		s.stopBackend(i % lab.BackendCount)
		if err := s.startBackend(ctx, i%lab.BackendCount); err != nil {
			return err
		}
	}
	return nil
}
