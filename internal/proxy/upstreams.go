package proxy

import (
	"maps"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// upstreamOf is where requests to the backend go. There is one as long as
// there are leases.
func (p *Proxy) upstreamOf(b *pool.Backend) *upstream { return (*p.upstreams.Load())[b] }

// Update puts the settings in force for exchanges that are yet to begin, and
// makes the backends reachable that are new in the pool: it is to be called
// before they can be picked. Connections stay, unless a setting of theirs has
// changed: then they end with the requests that they carry.
func (p *Proxy) Update(c *config.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := newSettings(c)
	before := p.settings.Swap(s)
	same := before != nil && before.ofUpstreams() == s.ofUpstreams()
	p.replace(s, func(_ *pool.Backend, u *upstream) bool { return u == nil || !same })
}

// Renew is for a backend that has another address: new requests go over new
// connections, those there are end with the requests that they carry.
func (p *Proxy) Renew(b *pool.Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replace(p.settings.Load(), func(other *pool.Backend, _ *upstream) bool { return other == b })
}

// replace makes upstreams anew for the backends of the pool that want it.
// p.mu is held.
func (p *Proxy) replace(s *settings, wants func(*pool.Backend, *upstream) bool) {
	after := make(map[*pool.Backend]*upstream)
	maps.Copy(after, *p.upstreams.Load())
	var retired []*upstream
	for _, b := range p.pool.Backends() {
		u := after[b]
		if !wants(b, u) {
			continue
		}
		links := new(links)
		if u != nil {
			links = u.links
			retired = append(retired, u)
		}
		after[b] = newUpstream(p, b, s, links)
	}
	p.upstreams.Store(&after)
	p.closeRetired()
	p.retired = retired
	p.closeRetired()
}

// closeRetired closes the unused connections of upstreams that were replaced;
// http.Transport then closes the others when they come to be unused. But an
// exchange may have been on its way to it, and leave one behind: that is
// closed when this is called again, or by its time.
func (p *Proxy) closeRetired() {
	for _, u := range p.retired {
		u.transport.CloseIdleConnections()
	}
}

// DropIdle closes the unused connections to a backend. Those to one that went
// down are most likely dead.
func (p *Proxy) DropIdle(b *pool.Backend) {
	if u := p.upstreamOf(b); u != nil {
		u.transport.CloseIdleConnections()
	}
}

// Cut ends all exchanges with a backend that was removed from the pool.
func (p *Proxy) Cut(b *pool.Backend) {
	if u := p.upstreamOf(b); u != nil {
		u.links.close()
	}
}

// Forget closes what connections there are to a backend that was removed and
// has nothing in flight.
func (p *Proxy) Forget(b *pool.Backend) {
	p.Cut(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	after := maps.Clone(*p.upstreams.Load())
	delete(after, b)
	p.upstreams.Store(&after)
}

// Close closes the unused connections to all backends.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeRetired()
	for b := range *p.upstreams.Load() {
		p.DropIdle(b)
	}
}
