package pool

import "net/url"

// Diff is what an Update changed, each part in the order of the configuration:
// of Removed, the one before.
type Diff struct{ Added, Removed, Kept []*Backend }

// Update makes the pool what is wanted, at once. Backends are known by their
// URL: those that stay keep their state, their counts and their leases. Those
// that come may be picked when their first probe has passed. Those that go are
// picked no more; leases that are out stay good, and what their exchanges end
// in changes nothing. An InFlight of 0 is final for one that is Removed.
func (p *ServerPool) Update(urls []*url.URL, t Thresholds) Diff {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thresholds = t
	gone := make(map[string]*Backend)
	for _, b := range p.Backends() {
		gone[b.name] = b
	}
	var d Diff
	var all []*Backend
	for _, u := range urls {
		b, stays := gone[u.String()]
		if stays {
			delete(gone, b.name)
			d.Kept = append(d.Kept, b)
		} else {
			b = newBackend(u)
			d.Added = append(d.Added, b)
		}
		all = append(all, b)
	}
	for _, b := range p.Backends() {
		if gone[b.name] != nil {
			d.Removed = append(d.Removed, b)
		}
	}
	p.publish(all)
	for _, b := range d.Removed { // see Acquire
		b.state.Store(uint32(Removed))
	}
	return d
}
