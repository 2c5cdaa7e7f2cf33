package pool

import (
	"slices"
	"sync/atomic"
	"time"
)

// Lease is a picked backend until it is given back, by exactly one call of
// Succeeded, Failed, FailedSoftly or Abandoned. That call belongs after the last byte of the
// response or tunnel, not after its head.
type Lease struct {
	Backend *Backend
	pool    *ServerPool
	downs   uint64 // how often the backend had gone down when it was picked

	placeless bool // the request's place among all that are in flight is another lease's
}

// Acquire picks a backend, none of those that were tried, and counts the lease
// as in flight, or returns ErrNoneAlive, ErrNoneLeft or ErrOverloaded.
func (p *ServerPool) Acquire(key Key, tried ...*Backend) (Lease, error) {
	if p.queue.length.Load() > 0 { // who waits comes first
		return Lease{}, ErrOverloaded
	}
	lease, err := p.acquire(key, tried)
	if err != nil {
		p.admit() // it may have held a place for a moment
	}
	return lease, err
}

// acquire takes a place among all that are in flight before it picks, so that
// nobody's turn is lost on a request that is turned away.
func (p *ServerPool) acquire(key Key, tried []*Backend) (Lease, error) {
	s := p.snapshot.Load()
	if len(s.eligible) == 0 {
		return Lease{}, ErrNoneAlive
	}
	if !take(&p.inFlight, s.most) {
		return Lease{}, ErrOverloaded
	}
	lease, err := p.lend(key, tried)
	if err != nil {
		p.inFlight.Add(-1)
	}
	return lease, err
}

// lend picks a backend for a request that has its place, and again when another
// was quicker to take the backend's last one. A backend that was removed between
// the pick and the count is not taken: whoever waits for the last of its leases to
// end may have seen none.
func (p *ServerPool) lend(key Key, tried []*Backend) (Lease, error) {
	for {
		s := p.snapshot.Load()
		i, err := s.choose(key, tried)
		if err != nil {
			return Lease{}, err
		}
		b := s.eligible[i]
		if !take(&b.inFlight, s.bounds[i]) {
			continue
		}
		if b.State() != Removed {
			return Lease{Backend: b, pool: p, downs: b.downs.Load()}, nil
		}
		b.inFlight.Add(-1)
	}
}

// Another takes a lease of a backend that was not tried, for the same request,
// if the budget of retries has one left. The request's place among all that are
// in flight goes over to it; l is still to be given back.
func (l *Lease) Another(now time.Time, key Key, tried ...*Backend) (next Lease, ok bool) {
	next, err := l.pool.lend(key, tried)
	if err != nil {
		return Lease{}, false
	}
	if !l.pool.TakeRetry(now) {
		next.placeless = true // it is still l's
		next.Abandoned()
		return Lease{}, false
	}
	l.placeless = true
	return next, true
}

// AcquireThis is Acquire for a backend that was chosen before. It returns
// ErrNoneLeft if that may not be picked any more.
func (p *ServerPool) AcquireThis(b *Backend) (Lease, error) {
	s := p.snapshot.Load()
	i := slices.Index(s.eligible, b)
	if i < 0 || b.State() != Up {
		return Lease{}, ErrNoneLeft
	}
	if !take(&p.inFlight, s.most) {
		return Lease{}, ErrOverloaded
	}
	lease := Lease{Backend: b, pool: p, downs: b.downs.Load()}
	if !take(&b.inFlight, s.bounds[i]) {
		p.inFlight.Add(-1)
		p.admit()
		return Lease{}, ErrOverloaded
	}
	if b.State() == Removed { // see lend
		lease.Abandoned()
		return Lease{}, ErrNoneLeft
	}
	return lease, nil
}

// take counts one more, unless there are as many as the bound allows; 0 is none.
func take(count *atomic.Int64, bound int64) bool {
	if bound == 0 {
		count.Add(1)
		return true
	}
	for {
		n := count.Load()
		if n >= bound {
			return false
		}
		if count.CompareAndSwap(n, n+1) {
			return true
		}
	}
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
func (l Lease) Abandoned() {
	l.Backend.inFlight.Add(-1)
	if !l.placeless {
		l.pool.inFlight.Add(-1)
	}
	l.pool.admit()
}

// Failed gives back a backend that failed the exchange as only one does that
// cannot be reached.
func (l Lease) Failed(reason string) { l.failed(reason, false) }

// FailedSoftly gives back a backend that failed the exchange in a way that may
// have been the request's doing.
func (l Lease) FailedSoftly(reason string) { l.failed(reason, true) }

// failed counts the failure before the place is free: who waits for it must not
// be given a backend that is about to go down.
func (l Lease) failed(reason string, soft bool) {
	l.pool.observeFailure(l, reason, soft)
	l.Abandoned()
}
