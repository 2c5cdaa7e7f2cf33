package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go-proxy/internal/pool"
)

// drains let backends that were removed end what they have in flight.
type drains struct {
	links   links
	log     *slog.Logger
	ctx     context.Context // of all of them
	running sync.WaitGroup
}

// drainLook is how often a drain looks whether all is done.
const drainLook = 5 * time.Millisecond

// start allows drains to begin, until stop ends them.
func (d *drains) start() (stop func()) {
	var cancel context.CancelFunc
	d.ctx, cancel = context.WithCancel(context.Background())
	return func() {
		cancel()
		d.running.Wait()
	}
}

// begin drains the backend: what is in flight may end within grace, and is cut
// then.
func (d *drains) begin(b *pool.Backend, grace time.Duration) {
	d.running.Go(func() {
		within, cancel := context.WithTimeout(d.ctx, grace)
		defer cancel()
		if !idle(within, b) && d.ctx.Err() == nil {
			d.log.Warn("requests to a removed backend were cut", "backend", b, "requests", b.InFlight())
			d.links.Cut(b)
		}
		if idle(d.ctx, b) {
			d.links.Forget(b)
		}
	})
}

// idle waits until nothing is in flight to a backend that was removed, and
// reports whether that came before the end of ctx.
func idle(ctx context.Context, b *pool.Backend) bool {
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for b.InFlight() > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
