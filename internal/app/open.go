package app

import "sync"

// open is whether the log says that requests go to backends that are down.
type open struct {
	mu  sync.Mutex
	now bool
}

// tellOpen logs when backends that are down begin to be tried, and when that
// ends.
func (p *parts) tellOpen() {
	p.open.mu.Lock()
	defer p.open.mu.Unlock()
	now := p.pool.FailsOpen()
	switch {
	case now && !p.open.now:
		p.log.Warn("no backend is alive; those that are down are tried anyway")
	case !now && p.open.now:
		p.log.Info("backends that are down are not tried any more")
	}
	p.open.now = now
}
