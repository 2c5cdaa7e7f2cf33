package pool

// State says what is known of a backend. Only one that is Up may be picked.
type State uint32

// Unknown holds until the first probe, Removed for good.
const (
	Unknown State = iota
	Up
	Down
	Removed
)

func (s State) String() string { return [...]string{"unknown", "up", "down", "removed"}[s] }

// MarshalText makes JSON logs show what text logs do.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Change is a backend's change of state.
type Change struct {
	Backend  *Backend
	From, To State
	Reason   string
	// Traffic says that a failed exchange caused it, not a probe.
	Traffic bool
}

// ObserveProbe takes the result of an active check, nil for a good one, and
// reports whether it changed the backend's state. A probe that was cancelled
// is no result and must not be passed.
func (p *ServerPool) ObserveProbe(b *Backend, err error) (changed bool) {
	to, reason := Up, "probe succeeded"
	if err != nil {
		to, reason = Down, err.Error()
	}
	return p.change(Change{Backend: b, To: to, Reason: reason}, func() bool { return p.probeDecides(b, to) })
}

// probeDecides counts consecutive probes that contradict the state. p.mu is
// held.
func (p *ServerPool) probeDecides(b *Backend, to State) bool {
	state := b.State()
	if b.ejected && to == Up {
		return false
	}
	if state == to || state == Removed {
		b.contrary = 0
		b.spared = b.spared && to == Up // a probe that fails, too, is no soft reason
		return false
	}
	b.contrary++
	switch {
	case state == Unknown:
		return true
	case to == Up:
		return b.contrary >= p.settings.Rise
	default:
		return b.contrary >= p.settings.Fall
	}
}

// observeFailure takes the result of a failed exchange. Of the exchanges that
// were under way when a backend went down only the first is news: the others
// met the same fault, and must not take it down again once it is back.
func (p *ServerPool) observeFailure(l Lease, reason string, soft bool) {
	b := l.Backend
	p.change(Change{Backend: b, To: Down, Reason: reason, Traffic: true}, func() bool {
		falls := b.State() == Up && b.downs.Load() == l.downs &&
			b.failures.Add(1) >= int64(p.settings.PassiveFall) && (!soft || p.mayFall(b))
		if falls {
			b.spared, b.ejected = soft, p.settings.Ejects
		}
		return falls
	})
}

// Readmit ends the ejection of a backend: from now on probes may bring it back.
func (p *ServerPool) Readmit(b *Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.ejected = false
}

// mayFall reports whether soft failures may take b down. With a threshold above 1
// they leave at least half of the backends in, and one that is up: they may be
// the requests' doing, and then would empty the pool. p.mu is held.
func (p *ServerPool) mayFall(b *Backend) bool {
	if p.settings.PassiveFall == 1 {
		return true
	}
	members, fallen, otherUp := 0, 1, false
	for _, other := range p.Backends() {
		if other.drains.Load() {
			continue
		}
		members++
		if other.State() == Down && other.spared {
			fallen++
		}
		otherUp = otherUp || other != b && other.State() == Up
	}
	return otherUp && 2*fallen <= members
}

// change makes c if decides says so, and makes it known. onChange is called
// without the lock: it may write a log.
func (p *ServerPool) change(c Change, decides func() bool) bool {
	b := c.Backend
	p.mu.Lock()
	c.From = b.State()
	if !decides() {
		p.mu.Unlock()
		return false
	}
	b.contrary, b.reason = 0, c.Reason
	b.failures.Store(0)
	if c.To == Down {
		b.downs.Add(1)
	}
	if c.To == Up {
		b.spared = false
		p.beginWarming(b, c.From)
	}
	b.state.Store(uint32(c.To))
	p.publish(p.Backends())
	p.tell(c)
	return true
}

// tell makes the change known and gives p.mu back. Changes are told in the
// order in which they were made, by one goroutine at a time: that which is
// telling already tells this one, too.
func (p *ServerPool) tell(c Change) {
	p.untold = append(p.untold, c)
	if !p.telling {
		p.telling = true
		for len(p.untold) > 0 {
			next := p.untold[0]
			p.untold = p.untold[1:]
			p.mu.Unlock()
			p.onChange(next)
			p.mu.Lock()
		}
		p.telling = false
	}
	p.mu.Unlock()
}
