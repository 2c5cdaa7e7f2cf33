package pool

import (
	"slices"
	"sync"
	"sync/atomic"
)

// queue is who waits for a lease: first come, first served.
type queue struct {
	length atomic.Int64 // also of waiters, for those who only ask whether there are any

	mu      sync.Mutex // taken behind the pool's
	waiters []*Waiter
}

// Waiter is a place in the queue. It ends by its Answer or by Leave.
type Waiter struct {
	pool   *ServerPool
	key    Key
	answer chan Answer
}

// Answer is what a Waiter waits for: what Acquire returns, without ErrOverloaded.
type Answer struct {
	Lease Lease
	Err   error
}

// Wait queues for a lease. It returns ErrOverloaded if there is no place left.
func (p *ServerPool) Wait(key Key) (*Waiter, error) {
	q := &p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiters) >= p.snapshot.Load().places {
		return nil, ErrOverloaded
	}
	w := &Waiter{p, key, make(chan Answer, 1)}
	q.set(append(q.waiters, w))
	p.serve() // one may have been given back before anybody knew of w
	return w, nil
}

// Answer comes at most once.
func (w *Waiter) Answer() <-chan Answer { return w.answer }

// Leave gives the place up. If the answer came first, it is that; else the error
// is ErrOverloaded.
func (w *Waiter) Leave() Answer {
	q := &w.pool.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiters, w); i >= 0 {
		q.set(slices.Delete(q.waiters, i, i+1))
		return Answer{Err: ErrOverloaded}
	}
	return <-w.answer
}

// GiveUp is Leave for one who has no use for a lease any more.
func (w *Waiter) GiveUp() {
	if a := w.Leave(); a.Err == nil {
		a.Lease.Abandoned()
	}
}

// admit serves who waits, when there may be room.
func (p *ServerPool) admit() {
	if p.queue.length.Load() == 0 {
		return
	}
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.serve()
}

// serve gives the first in the queue what there is for them. p.queue.mu is held.
func (p *ServerPool) serve() {
	q := &p.queue
	for len(q.waiters) > 0 {
		first := q.waiters[0]
		lease, err := p.acquire(first.key, nil)
		if err == ErrOverloaded {
			return
		}
		first.answer <- Answer{lease, err}
		q.set(slices.Delete(q.waiters, 0, 1))
	}
}

// set is the only way to change the waiters. q.mu is held.
func (q *queue) set(waiters []*Waiter) {
	q.waiters = waiters
	q.length.Store(int64(len(waiters)))
}
