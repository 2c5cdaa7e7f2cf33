package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/accesslog"
	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/health"
	"go-proxy/internal/http1"
	"go-proxy/internal/pool"
	"go-proxy/internal/proxy"
	"go-proxy/internal/resolve"
	"go-proxy/internal/server"
)

// Run is the proxy: it serves until ctx ends, drains until all is done, the
// shutdown timeout is over or hurry ends, and returns when everything it
// started has ended. It fails if it could not serve, or had to cut
// connections.
func Run(ctx, hurry context.Context, c *config.Config, in Inputs, access io.Writer, log *slog.Logger) error {
	listener, err := server.Listen(c.Listen, c.Timeouts.WriteStall, c.Shutdown, log)
	if err != nil {
		return err
	}
	defer listener.Close()
	listener.Cap(c.Limits.Conns, c.Limits.ConnsPerClient)
	in = in.complete()
	resolver := resolve.New(in.Lookup, in.Connect, log)
	resolver.Update(ctx, c)
	p := build(c, in, resolver, access, log)
	p.listener = listener
	return p.run(ctx, hurry)
}

// parts are what a running proxy is made of.
type parts struct {
	in       Inputs
	started  *config.Config // as it was then
	loaded   *config.Config // what was read last
	config   *config.Config // what is in force
	log      *slog.Logger
	listener *server.Server
	resolver *resolve.Resolver
	backends []config.Backend // as pool has them
	pool     *pool.ServerPool
	checker  *health.Checker
	access   *accesslog.Log
	accessOn atomic.Bool
	plane    server.Plane
	links    links
	drains   drains
	warming  chan struct{} // tells warm that there is more to do
	open     open
}

// build makes the parts and starts nothing.
func build(c *config.Config, in Inputs, resolver *resolve.Resolver, access io.Writer, log *slog.Logger) *parts {
	p := &parts{in: in, started: c, loaded: c, config: c, log: log, resolver: resolver, warming: make(chan struct{}, 1)}
	p.backends = resolver.Backends(c.Backends)
	p.pool = pool.New(p.backends, poolSettings(c), p.changed)
	p.checker = health.New(p.pool, c.Health, func(b *pool.Backend, s config.Health) health.Prober {
		return health.NewHTTP(b, s, resolver.Dial)
	}, log)
	p.access = accesslog.New(access, c.Log, log)
	p.accessOn.Store(c.Log.Access)
	if c.Plane == "http1" {
		forward := http1.New(p.pool, c, resolver.Dial, p.observe, log)
		p.links, p.plane = forward, forward
	} else {
		forward := proxy.New(p.pool, c, resolver.Dial, p.observe, log)
		p.links, p.plane = forward, server.NewHTTP(forward, c.Timeouts, c.Limits, log)
	}
	p.drains.links, p.drains.log = p.links, log
	return p
}

func poolSettings(c *config.Config) pool.Settings {
	return pool.Settings{
		Thresholds: pool.Thresholds{Rise: c.Health.Rise, Fall: c.Health.Fall, PassiveFall: c.Health.PassiveFall},
		Policy:     c.Balancing.Policy,
		HashBound:  c.Balancing.HashBound,
		SlowStart:  c.Balancing.SlowStart,
		FailOpen:   c.Balancing.FailOpen,
		Ejects:     c.Health.Ejection > 0,

		MaxInFlight:        c.Bounds.InFlight,
		BackendMaxInFlight: c.Bounds.BackendInFlight,
		Queue:              c.Bounds.Queue,
		Retries:            pool.Budget{Share: c.Retries.Share, Rate: c.Retries.Rate, Burst: c.Retries.Burst},
	}
}

// observe is told of every exchange.
func (p *parts) observe(r *exchange.Record) {
	if p.accessOn.Load() {
		p.access.Observe(r)
	}
}

// changed follows a backend's change of state.
func (p *parts) changed(c pool.Change) {
	defer p.tellOpen()
	if c.To == pool.Up {
		p.log.Info("backend is up", "backend", c.Backend, "from", c.From, "to", c.To, "reason", c.Reason)
		p.rewarm()
		return
	}
	p.log.Warn("backend is down", "backend", c.Backend, "from", c.From, "to", c.To, "reason", c.Reason)
	p.links.DropIdle(c.Backend)
	if c.Traffic { // a probe that failed has just looked
		p.checker.Nudge(c.Backend)
	}
}

// run starts the parts in order and ends them in reverse, so that each ends
// after those that use it.
func (p *parts) run(ctx, hurry context.Context) error {
	defer p.background(p.writeAccess)()
	defer p.links.Close()
	defer p.background(p.resolver.Run)()
	defer p.background(p.warm)()
	defer p.background(p.checker.Run)()
	p.announce()
	select {
	case <-p.checker.Ready():
	case <-ctx.Done():
		return nil
	}
	p.log.Info("ready", "address", p.listener.Addr().String())
	defer p.drains.start()()
	defer p.background(func(stopped context.Context) { p.control(ctx, stopped) })()
	cut, err := p.listener.Run(ctx, hurry, p.plane)
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

// writeAccess runs the access log.
func (p *parts) writeAccess(ctx context.Context) {
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

func (p *parts) announce() {
	p.log.Info("starting reverse proxy", "address", p.listener.Addr().String(),
		"backends", len(p.pool.Backends()), "health_interval", p.config.Health.Interval.String())
	for _, b := range p.pool.Backends() {
		p.log.Info("backend", "backend", b, "probe", probePath(p.config))
	}
}

// probePath leaves out the query, which may hold a secret.
func probePath(c *config.Config) string {
	path, _, _ := strings.Cut(c.Health.Path, "?")
	return path
}
