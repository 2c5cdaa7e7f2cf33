package app

import (
	"context"
	"slices"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// follow makes the backends what the configuration and the addresses of names
// say.
func (p *parts) follow(ctx context.Context) pool.Diff {
	wanted := p.resolver.Backends(p.config.Backends)
	introduced := p.introduce(ctx, wanted)
	d := p.put(wanted)
	for _, b := range d.Removed {
		p.drains.begin(b, p.config.Shutdown)
	}
	p.renew(p.resolver.TakeChanged())
	if introduced != nil {
		d.Added = introduced
		d.Kept = slices.DeleteFunc(d.Kept, func(b *pool.Backend) bool { return slices.Contains(introduced, b) })
	}
	return d
}

// put makes the backends those of the pool and of all that follow it. Those that
// are new are probed when requests to them can be forwarded.
func (p *parts) put(backends []config.Backend) pool.Diff {
	p.backends = backends
	d := p.pool.Update(backends, poolSettings(p.config))
	p.tellOpen()
	p.rewarm()
	p.links.Update(p.config)
	p.checker.Update(p.config.Health)
	return d
}

// introduce has the backends that are wanted probed before others go or drain, if
// of those that may be picked now none stays: there would be none to be picked
// meanwhile. It returns the new ones, or nil if that is not needed.
func (p *parts) introduce(ctx context.Context, wanted []config.Backend) (introduced []*pool.Backend) {
	all, upNow := slices.Clone(wanted), false
	for i, b := range p.pool.Backends() {
		before := p.backends[i]
		up := b.State() == pool.Up && !before.Drain
		at := slices.IndexFunc(wanted, func(w config.Backend) bool { return w.URL.String() == b.String() })
		switch {
		case at < 0:
			all = append(all, before)
			upNow = upNow || up
		case up && wanted[at].Drain:
			all[at] = before
			upNow = true
		case up:
			return nil
		}
	}
	if !upNow {
		return nil
	}
	d := p.put(all)
	p.checker.Probed(ctx)
	return d.Added
}

// rename follows the addresses of names.
func (p *parts) rename(ctx context.Context) {
	d := p.follow(ctx)
	if len(d.Added)+len(d.Removed) > 0 {
		p.log.Info("backends follow their names", "added", d.Added, "removed", d.Removed, "kept", d.Kept)
	}
}

// renew leaves the connections to addresses that the names do not have any
// more.
func (p *parts) renew(names []string) {
	for _, b := range p.pool.Backends() {
		if b.URL.Fragment == "" && slices.Contains(names, b.URL.Hostname()) {
			p.links.Renew(b)
			p.checker.Renew(b)
		}
	}
}
