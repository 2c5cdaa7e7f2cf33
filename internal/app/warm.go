package app

import (
	"context"
	"time"
)

// warm is the pool's clock: it lets backends that came back rise to their whole
// share, until ctx ends.
func (p *parts) warm(ctx context.Context) {
	for {
		var step <-chan time.Time
		if next := p.pool.Advance(time.Now()); next > 0 {
			step = time.After(next)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.warming:
		case <-step:
		}
	}
}

// rewarm is for when a backend has come up, or slow_start is another one.
func (p *parts) rewarm() {
	select {
	case p.warming <- struct{}{}:
	default: // it will be seen
	}
}
