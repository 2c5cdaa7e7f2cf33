// Package health probes the backends, each from a goroutine of its own, and
// tells the pool what it found. What a result means is the pool's to decide.
package health

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// Probe asks a backend how it is and returns nil or what is wrong. It must
// end soon after ctx does.
type Probe func(ctx context.Context, b *pool.Backend) error

// Checker probes all backends of a pool, side by side.
type Checker struct {
	watchers map[*pool.Backend]*watcher
	ready    chan struct{}
}

// New makes a Checker; Run starts it.
func New(p *pool.ServerPool, s config.Health, probe Probe, log *slog.Logger) *Checker {
	c := &Checker{watchers: make(map[*pool.Backend]*watcher), ready: make(chan struct{})}
	for _, b := range p.Backends() {
		c.watchers[b] = &watcher{
			backend: b, pool: p, settings: s, probe: probe, log: log,
			nudged: make(chan struct{}, 1),
		}
	}
	return c
}

// Run probes until ctx ends, and returns when the last probe has.
func (c *Checker) Run(ctx context.Context) {
	var all, first sync.WaitGroup
	for _, w := range c.watchers {
		first.Add(1)
		all.Go(func() { w.run(ctx, first.Done) })
	}
	first.Wait()
	close(c.ready)
	all.Wait()
}

// Ready is closed when every backend has been probed once, which takes at most
// the timeout.
func (c *Checker) Ready() <-chan struct{} { return c.ready }

// Nudge asks for a probe at once, because traffic has marked the backend down.
// It is granted unless the backend came back less than an interval ago: one
// that answers probes but fails requests would flap. It never waits.
func (c *Checker) Nudge(b *pool.Backend) {
	select {
	case c.watchers[b].nudged <- struct{}{}:
	default: // one is waiting already
	}
}

// watcher probes one backend.
type watcher struct {
	backend  *pool.Backend
	pool     *pool.ServerPool
	settings config.Health
	probe    Probe
	log      *slog.Logger
	nudged   chan struct{}
	returned time.Time // when the backend last came back
}

func (w *watcher) run(ctx context.Context, first func()) {
	timer := time.NewTimer(w.untilNext())
	defer timer.Stop()
	w.check(ctx)
	first()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.nudged:
			if !w.mayHurry() {
				continue
			}
		}
		timer.Reset(w.untilNext()) // from the start of a probe, so that a slow one delays nothing
		w.check(ctx)
	}
}

// untilNext is the interval with its jitter.
func (w *watcher) untilNext() time.Duration {
	off := w.settings.Jitter * (2*rand.Float64() - 1)
	return w.settings.Interval + time.Duration(off*float64(w.settings.Interval))
}

func (w *watcher) mayHurry() bool {
	return w.returned.IsZero() || time.Since(w.returned) >= w.settings.Interval
}

// check makes one probe and reports it, unless ctx ended meanwhile.
func (w *watcher) check(ctx context.Context) {
	timeout := fmt.Errorf("no answer to the probe within %v", w.settings.Timeout)
	probeCtx, cancel := context.WithTimeoutCause(ctx, w.settings.Timeout, timeout)
	defer cancel()
	start := time.Now()
	err := w.probe(probeCtx, w.backend)
	if ctx.Err() != nil {
		return
	}
	if err != nil && probeCtx.Err() != nil {
		err = timeout
	}
	w.log.Debug("probed", "backend", w.backend, "duration", time.Since(start), "result", result(err))
	known := w.backend.State() != pool.Unknown
	if w.pool.ObserveProbe(w.backend, err) && err == nil && known {
		w.returned = time.Now()
	}
}

func result(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
