// Package pool decides which backend serves a request.
//
// It owns the backends, their health state and the policy over them. It is
// pure: no I/O, no goroutine, no clock. The planes take leases from it; the
// active prober and the planes tell it what they saw of a backend, and it
// decides what that means.
//
// Reads go through one immutable snapshot behind an atomic pointer, so a pick
// takes no lock, tests nobody's health and allocates nothing. A change of
// health or of the set of backends builds a new snapshot as a whole.
package pool

import (
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
)

// ErrNoneAlive is the pick's answer when no backend may be picked.
var ErrNoneAlive = errors.New("no backend is alive")

// Thresholds say how many consecutive results change a backend's state.
type Thresholds struct {
	Rise        int // good probes until a backend that is down is up
	Fall        int // bad probes until one that is up is down
	PassiveFall int // failed exchanges until one that is up is down
}

// ServerPool is the backends and the policy over them.
type ServerPool struct {
	onChange func(Change)
	policy   roundRobin
	snapshot atomic.Pointer[snapshot]

	mu         sync.Mutex // guards the thresholds, the health of all backends and the making of snapshots
	thresholds Thresholds
}

// snapshot is what a pick decides over. It never changes.
type snapshot struct {
	all      []*Backend
	eligible []*Backend
}

// New makes a pool of backends, each URL once, in which none may be picked yet:
// the first probe of each decides. onChange is told of every change of state, from the goroutine
// that caused it; it may be nil.
func New(urls []*url.URL, t Thresholds, onChange func(Change)) *ServerPool {
	if onChange == nil {
		onChange = func(Change) {}
	}
	p := &ServerPool{onChange: onChange}
	p.snapshot.Store(new(snapshot))
	p.Update(urls, t)
	return p
}

// Backends are all of them, in the order of the configuration.
func (p *ServerPool) Backends() []*Backend { return p.snapshot.Load().all }

// GetNextHealthyBackend picks the next backend in rotation among those that
// are alive, or returns ErrNoneAlive.
func (p *ServerPool) GetNextHealthyBackend() (*Backend, error) {
	eligible := p.snapshot.Load().eligible
	if len(eligible) == 0 {
		return nil, ErrNoneAlive
	}
	return eligible[p.policy.pick(len(eligible))], nil
}

// publish makes all, with their states, what the picks see. p.mu is held.
func (p *ServerPool) publish(all []*Backend) {
	next := &snapshot{all: all, eligible: make([]*Backend, 0, len(all))}
	for _, b := range all {
		if b.State() == Up {
			next.eligible = append(next.eligible, b)
		}
	}
	p.snapshot.Store(next)
}
