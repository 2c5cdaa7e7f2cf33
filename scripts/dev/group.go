package main

import (
	"context"
	"fmt"
	"net"
	"os/signal"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 10 * time.Second
)

// group owns the children: none of them outlives stop. The first to end by
// itself calls end, with the reason.
type group struct {
	out      *output
	end      context.CancelCauseFunc
	children []*child // as started
}

// startAll starts the backends, then the proxy, so that its first probes find
// them up. It returns when all of them accept connections.
func (g *group) startAll(ctx context.Context, s stack) error {
	for _, p := range s.backends {
		if err := g.start(p); err != nil {
			return err
		}
	}
	for _, p := range s.backends {
		if err := g.awaitListening(ctx, p); err != nil {
			return err
		}
	}
	if err := g.start(s.proxy); err != nil {
		return err
	}
	return g.awaitListening(ctx, s.proxy)
}

func (g *group) start(p program) error {
	c, err := startChild(p, g.out.named(p.name), g.end)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	g.children = append(g.children, c)
	return nil
}

func (g *group) awaitListening(ctx context.Context, p program) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("%s is not listening on %s after %v", p.name, p.addr, startTimeout))
	defer cancel()
	for {
		conn, err := net.DialTimeout("tcp", reachable(p.addr), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stop ends the proxy first, for it finishes its requests with the backends'
// help, then the backends. A second signal, or the timeout, cuts it short.
func (g *group) stop() {
	ctx, cancel := signal.NotifyContext(context.Background(), stopSignals...)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, stopTimeout)
	defer cancel()

	g.out.say("dev", "stopping")
	proxy := max(0, len(g.children)-1)
	g.stopAll(ctx, g.children[proxy:])
	g.stopAll(ctx, g.children[:proxy])
}

func (g *group) stopAll(ctx context.Context, children []*child) {
	for _, c := range children {
		c.terminate()
	}
	for _, c := range children {
		if !c.awaitEnd(ctx) {
			g.out.say("dev", c.name+" did not end in time and was killed")
		}
	}
}
