package pool

// Lease is a picked backend until it is given back, by exactly one call of
// Succeeded, Failed or Abandoned. That call belongs after the last byte of the
// response or tunnel, not after its head.
type Lease struct {
	Backend *Backend
	pool    *ServerPool
	downs   uint64 // how often the backend had gone down when it was picked
}

// Acquire picks a backend and counts the lease as in flight. One that was
// removed between the pick and the count is not taken: whoever waits for the
// last of its leases to end may have seen none.
func (p *ServerPool) Acquire(key Key) (Lease, error) {
	for {
		b, err := p.GetNextHealthyBackend(key)
		if err != nil {
			return Lease{}, err
		}
		b.inFlight.Add(1)
		if b.State() != Removed {
			return Lease{b, p, b.downs.Load()}, nil
		}
		b.inFlight.Add(-1)
	}
}

// AcquireThis is Acquire for a backend that was chosen before; not ok if it may
// not be picked any more.
func (p *ServerPool) AcquireThis(b *Backend) (l Lease, ok bool) {
	b.inFlight.Add(1)
	if b.State() != Up {
		b.inFlight.Add(-1)
		return Lease{}, false
	}
	return Lease{b, p, b.downs.Load()}, true
}

// Succeeded gives back a backend that did its part.
func (l Lease) Succeeded() {
	if l.Backend.failures.Load() != 0 { // a write here would cost every request a shared cache line
		l.Backend.failures.Store(0)
	}
	l.Abandoned()
}

// Abandoned gives back a backend that nothing was learned about: the client
// left, or was at fault.
func (l Lease) Abandoned() { l.Backend.inFlight.Add(-1) }

// Failed gives back a backend that failed the exchange.
func (l Lease) Failed(reason string) {
	l.Abandoned()
	l.pool.observeFailure(l, reason)
}
