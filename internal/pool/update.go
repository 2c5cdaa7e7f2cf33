package pool

import "go-proxy/internal/config"

// Diff is what an Update changed, each part in the order of the configuration:
// of Removed, the one before. Changed are those of Kept with another weight or
// bound, or that are now a backup, or drain, or do so no more.
type Diff struct{ Added, Removed, Kept, Changed []*Backend }

// Update makes the pool what is wanted, at once. Backends are known by their
// URL: those that stay keep their state, their counts and their leases. Those
// that come may be picked when their first probe has passed. Those that go are
// picked no more; leases that are out stay good, and what their exchanges end
// in changes nothing. An InFlight of 0 is final for one that is Removed.
func (p *ServerPool) Update(backends []config.Backend, s Settings) Diff {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings = s
	gone := make(map[string]*Backend)
	for _, b := range p.Backends() {
		gone[b.name] = b
	}
	var d Diff
	var all []*Backend
	for _, wanted := range backends {
		b, stays := gone[wanted.URL.String()]
		if !stays {
			b = newBackend(wanted.URL)
			b.late = len(p.Backends()) > 0
			d.Added = append(d.Added, b)
		} else {
			delete(gone, b.name)
			d.Kept = append(d.Kept, b)
		}
		b.ejected = b.ejected && s.Ejects
		if b.become(wanted) && stays {
			d.Changed = append(d.Changed, b)
		}
		all = append(all, b)
	}
	for _, b := range p.Backends() {
		if gone[b.name] != nil {
			d.Removed = append(d.Removed, b)
		}
	}
	p.retries.become(s.Retries)
	p.publish(all)
	for _, b := range d.Removed { // see acquire
		b.state.Store(uint32(Removed))
	}
	return d
}

// become takes what may change of a backend, and reports whether it did.
func (b *Backend) become(wanted config.Backend) (changed bool) {
	weight := max(1, wanted.Weight)
	changed = b.weight != weight || b.backup != wanted.Backup || b.bound != wanted.MaxInFlight
	b.weight, b.backup, b.bound = weight, wanted.Backup, wanted.MaxInFlight
	return b.drains.Swap(wanted.Drain) != wanted.Drain || changed
}
