// Package health probes the backends, each from a goroutine of its own, and
// tells the pool what it found. What a result means is the pool's to decide.
package health

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// Prober asks one backend how it is.
type Prober interface {
	// Probe returns nil or what is wrong. It must end soon after ctx does.
	Probe(ctx context.Context) error
	// Close is told when it is not needed any more.
	Close()
}

// NewProber makes the Prober of a backend.
type NewProber func(b *pool.Backend, s config.Health) Prober

// Checker probes all backends of a pool, side by side.
type Checker struct {
	pool      *pool.ServerPool
	newProber NewProber
	log       *slog.Logger
	ready     chan struct{}

	mu       sync.Mutex
	settings config.Health
	watchers map[*pool.Backend]*watcher
	ctx      context.Context // of Run, while that runs
	running  sync.WaitGroup  // watchers
}

// New makes a Checker; Run starts it.
func New(p *pool.ServerPool, s config.Health, newProber NewProber, log *slog.Logger) *Checker {
	c := &Checker{pool: p, newProber: newProber, log: log, ready: make(chan struct{}), watchers: make(map[*pool.Backend]*watcher)}
	c.Update(s)
	return c
}

// Run probes until ctx ends, and returns when the last probe has.
func (c *Checker) Run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	first := make([]<-chan struct{}, 0, len(c.watchers))
	for _, w := range c.watchers {
		c.start(w)
		first = append(first, w.probed)
	}
	c.mu.Unlock()
	for _, probed := range first {
		<-probed
	}
	close(c.ready)
	<-ctx.Done()
	c.mu.Lock()
	c.ctx = nil // none is started from now on
	c.mu.Unlock()
	c.running.Wait()
}

// Ready is closed when every backend that Run began with has been probed once
// or removed, which takes at most the timeout.
func (c *Checker) Ready() <-chan struct{} { return c.ready }

// Probed waits until every backend has been probed once, which takes at most
// the timeout, or until ctx or Run ends.
func (c *Checker) Probed(ctx context.Context) {
	c.mu.Lock()
	watchers := slices.Collect(maps.Values(c.watchers))
	c.mu.Unlock()
	for _, w := range watchers {
		select {
		case <-w.probed:
		case <-ctx.Done():
			return
		}
	}
}

// Update follows the pool: a backend that is new to it is probed at once, one
// that is gone no more; Update waits for its last probe to end. Other settings
// than before are in force with a probe of each backend at once.
func (c *Checker) Update(s config.Health) {
	for _, w := range c.update(s) {
		if w.stop != nil {
			w.stop()
			<-w.ended
		}
	}
}

// update returns the watchers of backends that are gone.
func (c *Checker) update(s config.Health) (gone []*watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.watchers
	c.watchers = make(map[*pool.Backend]*watcher)
	for _, b := range c.pool.Backends() {
		w, known := before[b]
		switch {
		case !known:
			w = newWatcher(c, b, s)
			c.start(w)
		case s != c.settings:
			w.change(s)
		}
		delete(before, b)
		c.watchers[b] = w
	}
	for _, w := range before {
		gone = append(gone, w)
	}
	c.settings = s
	return gone
}

// start has the watcher run while Run does. c.mu is held.
func (c *Checker) start(w *watcher) {
	if c.ctx == nil {
		return
	}
	ctx, stop := context.WithCancel(c.ctx)
	w.stop = stop
	c.running.Go(func() {
		defer stop()
		w.run(ctx)
	})
}

// Renew is for a backend that has another address: it is probed at once, over a
// connection of its own.
func (c *Checker) Renew(b *pool.Backend) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.watchers[b]; w != nil {
		w.change(c.settings)
	}
}

// Nudge tells that traffic has marked the backend down. Without ejections it is
// probed at once, unless it came back less than an interval ago: one that
// answers probes but fails requests would flap. With them it is not probed
// before its ejection is over. Nudge never waits for a probe.
func (c *Checker) Nudge(b *pool.Backend) {
	c.mu.Lock()
	w := c.watchers[b]
	c.mu.Unlock()
	if w == nil {
		return
	}
	select {
	case w.nudged <- struct{}{}:
	default: // one is waiting already
	}
}
