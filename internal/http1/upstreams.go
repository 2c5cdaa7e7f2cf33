package http1

import (
	"maps"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// upstreamOf is where requests to the backend go. There is one as long as
// there are leases.
func (p *Plane) upstreamOf(b *pool.Backend) *upstream { return (*p.upstreams.Load())[b] }

// Update puts the settings in force for exchanges that are yet to begin, and
// makes the backends reachable that are new in the pool: it is to be called
// before they can be picked. Connections stay.
func (p *Plane) Update(c *config.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := newSettings(c)
	p.settings.Store(s)
	p.sweeper.allow(s)
	after := maps.Clone(*p.upstreams.Load())
	for _, b := range p.pool.Backends() {
		if after[b] == nil {
			after[b] = newUpstream(b, p)
		}
	}
	p.upstreams.Store(&after)
}

// Renew is for a backend that has another address: new requests go over new
// connections, those there are end with the requests that they carry.
func (p *Plane) Renew(b *pool.Backend) {
	if u := p.upstreamOf(b); u != nil {
		u.age.Add(1)
		u.dropIdle()
	}
}

// DropIdle closes the unused connections to a backend. Those to one that went
// down are most likely dead.
func (p *Plane) DropIdle(b *pool.Backend) {
	if u := p.upstreamOf(b); u != nil {
		u.dropIdle()
	}
}

// Cut ends all exchanges with a backend that was removed from the pool, and
// those that come late.
func (p *Plane) Cut(b *pool.Backend) {
	u := p.upstreamOf(b)
	if u == nil {
		return
	}
	u.cut.Store(true)
	p.sweeper.each(func(c *conn) {
		if c.upstream == u {
			c.stop(hop.BackendRemoved)
		}
	})
}

// Forget closes what connections there are to a backend that was removed and
// has nothing in flight, also those that clients have logged in on.
func (p *Plane) Forget(b *pool.Backend) {
	p.Cut(b)
	p.DropIdle(b)
	var private []*conn
	p.sweeper.each(func(c *conn) {
		if c.upstream != nil && c.upstream.backend == b {
			private = append(private, c)
		}
	})
	for _, c := range private {
		c.Conn.Close() // who has it shuts it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	after := maps.Clone(*p.upstreams.Load())
	delete(after, b)
	p.upstreams.Store(&after)
}
