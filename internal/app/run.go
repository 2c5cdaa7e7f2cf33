package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"go-proxy/internal/accesslog"
	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/health"
	"go-proxy/internal/pool"
	"go-proxy/internal/proxy"
	"go-proxy/internal/server"
)

// Run is the proxy: it serves until ctx ends, drains until all is done, the
// shutdown timeout is over or hurry ends, and returns when everything it
// started has ended. It fails if it could not serve, or had to cut
// connections.
func Run(ctx, hurry context.Context, c *config.Config, access io.Writer, log *slog.Logger) error {
	listener, err := server.Listen(c.Listen, c.Timeouts.WriteStall, c.Shutdown)
	if err != nil {
		return err
	}
	defer listener.Close()
	p, err := build(c, access, log)
	if err != nil {
		return err
	}
	return p.run(ctx, hurry, listener)
}

// parts are what a running proxy is made of.
type parts struct {
	config  *config.Config
	log     *slog.Logger
	pool    *pool.ServerPool
	probe   *health.HTTP
	checker *health.Checker
	access  *accesslog.Log
	proxy   *proxy.Proxy
	plane   server.Plane
}

// build makes the parts and starts nothing.
func build(c *config.Config, access io.Writer, log *slog.Logger) (*parts, error) {
	p := &parts{config: c, log: log}
	p.pool = pool.New(backendURLs(c), pool.Thresholds{
		Rise: c.Health.Rise, Fall: c.Health.Fall, PassiveFall: c.Health.PassiveFall,
	}, p.changed)
	var err error
	if p.probe, err = health.NewHTTP(c.Health, nil); err != nil {
		return nil, err
	}
	p.checker = health.New(p.pool, c.Health, p.probe.Probe, log)
	observe := exchange.Observer(func(*exchange.Record) {})
	if c.Log.Access {
		p.access = accesslog.New(access, c.Log, log)
		observe = p.access.Observe
	}
	p.proxy = proxy.New(p.pool, c, observe, log)
	p.plane = server.NewHTTP(p.proxy, c.Timeouts, c.Limits, log)
	return p, nil
}

func backendURLs(c *config.Config) []*url.URL {
	urls := make([]*url.URL, len(c.Backends))
	for i, b := range c.Backends {
		urls[i] = b.URL
	}
	return urls
}

// changed follows a backend's change of state.
func (p *parts) changed(c pool.Change) {
	if c.To == pool.Up {
		p.log.Info("backend is up", "backend", c.Backend, "from", c.From, "to", c.To, "reason", c.Reason)
		return
	}
	p.log.Warn("backend is down", "backend", c.Backend, "from", c.From, "to", c.To, "reason", c.Reason)
	p.proxy.DropIdle(c.Backend)
	if c.Traffic { // a probe that failed has just looked
		p.checker.Nudge(c.Backend)
	}
}

// run starts the parts in order and ends them in reverse, so that each ends
// after those that use it.
func (p *parts) run(ctx, hurry context.Context, listener *server.Server) error {
	defer p.background(p.writeAccess)()
	defer p.proxy.Close()
	defer p.probe.Close()
	defer p.background(p.checker.Run)()
	p.announce(listener)
	select {
	case <-p.checker.Ready():
	case <-ctx.Done():
		return nil
	}
	p.log.Info("ready", "address", listener.Addr().String())
	cut, err := listener.Run(ctx, hurry, p.plane)
	switch {
	case err != nil:
		return err
	case cut > 0:
		return fmt.Errorf("connections that had not ended in time were cut: %d", cut)
	}
	p.log.Info("stopped")
	return nil
}

// background runs f in a goroutine until the returned function is called,
// which ends f and waits for it.
func (p *parts) background(f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// lastWrite bounds the wait for an output that takes nothing any more.
const lastWrite = time.Second

// writeAccess runs the access log, if there is one.
func (p *parts) writeAccess(ctx context.Context) {
	if p.access == nil {
		return
	}
	lost := make(chan int, 1)
	go func() { lost <- p.access.Run(ctx) }()
	<-ctx.Done()
	select {
	case n := <-lost:
		if n > 0 {
			p.log.Error("access lines lost", "lines", n)
		}
	case <-time.After(lastWrite):
		p.log.Error("access lines lost", "reason", "the output takes nothing")
	}
}

func (p *parts) announce(listener *server.Server) {
	p.log.Info("starting reverse proxy", "address", listener.Addr().String(),
		"backends", len(p.config.Backends), "health_interval", p.config.Health.Interval.String())
	path, _, _ := strings.Cut(p.config.Health.Path, "?") // a query may hold a secret
	for _, b := range p.pool.Backends() {
		p.log.Info("backend", "backend", b, "probe", path)
	}
}
