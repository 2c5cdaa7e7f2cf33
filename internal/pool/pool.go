// Package pool decides which backend serves a request.
//
// It owns the backends, their health state and the policy over them. It is
// pure: no I/O, no goroutine, no clock. The planes take leases from it; the
// active prober and the planes tell it what they saw of a backend, and it
// decides what that means.
//
// Reads go through one immutable snapshot behind an atomic pointer, so a pick
// takes no lock, tests nobody's health and allocates nothing. A change of
// health or of the set of backends builds a new snapshot as a whole. A policy is
// a part of it: made for those that may be picked, it only answers which one.
package pool

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
)

// Why there is no lease.
var (
	ErrNoneAlive  = errors.New("no backend is alive")
	ErrNoneLeft   = errors.New("every backend that is alive was tried")
	ErrOverloaded = errors.New("as many requests as allowed are in flight")
)

// Thresholds say how many consecutive results change a backend's state.
type Thresholds struct {
	Rise        int // good probes until a backend that is down is up
	Fall        int // bad probes until one that is up is down
	PassiveFall int // failed exchanges until one that is up is down
}

// Settings are what the pool goes by.
type Settings struct {
	Thresholds
	Policy string // one of Policies; empty: the first
	// HashBound is how many leases consistent_hash gives to a backend at most,
	// as a multiple, above 1, of its part of all; 0: any number.
	HashBound float64
	SlowStart time.Duration // see Advance; 0: none
	FailOpen  bool          // when none is alive those that are down may be picked
	Ejects    bool          // who fails requests stays down until Readmit

	// Most leases at a time, in all and of a backend that says nothing else; and
	// how many may wait for one. 0: any number, and none.
	MaxInFlight, BackendMaxInFlight, Queue int

	Retries Budget
}

// ServerPool is the backends and the policy over them.
type ServerPool struct {
	onChange func(Change)
	snapshot atomic.Pointer[snapshot]
	queue    queue
	retries  retries

	mu       sync.Mutex // guards the settings, what backends have under it, and the making of snapshots
	settings Settings
	untold   []Change
	telling  bool

	// Every request writes these, so that they share a cache line with nothing
	// that every request reads.
	_        [64]byte
	turn     atomic.Uint64
	inFlight atomic.Int64 // requests, with all backends
	_        [48]byte
}

// snapshot is what a pick decides over. It never changes.
type snapshot struct {
	all      []*Backend
	eligible []*Backend
	weights  []int   // of eligible
	bounds   []int64 // of the leases of each; 0: none
	bounded  bool    // one of them has a bound
	policy   policy  // over eligible; nil if there are none
	name     string  // of the policy
	keyed    bool
	open     bool  // none is alive, and those are eligible that are down
	most     int64 // leases in all; 0: any number
	places   int   // in the queue
}

// New makes a pool of backends, each URL once, in which none may be picked yet:
// the first probe of each decides. onChange is told of every change of state,
// from the goroutine that caused it; it may be nil.
func New(backends []config.Backend, s Settings, onChange func(Change)) *ServerPool {
	if onChange == nil {
		onChange = func(Change) {}
	}
	p := &ServerPool{onChange: onChange}
	p.snapshot.Store(new(snapshot))
	p.Update(backends, s)
	return p
}

// Backends are all of them, in the order of the configuration.
func (p *ServerPool) Backends() []*Backend { return p.snapshot.Load().all }

// WantsKey reports whether the policy goes by keys. A request's need not be
// made if it does not.
func (p *ServerPool) WantsKey() bool { return p.snapshot.Load().keyed }

// GetNextHealthyBackend picks the next backend by the policy among those that
// are alive, or returns ErrNoneAlive. Backups count only if no other is alive.
func (p *ServerPool) GetNextHealthyBackend(key Key) (*Backend, error) {
	s := p.snapshot.Load()
	i, err := s.choose(key, nil)
	if err != nil {
		return nil, err
	}
	return s.eligible[i], nil
}

// publish makes all, with their states, what the picks see. p.mu is held.
func (p *ServerPool) publish(all []*Backend) {
	row := policyNamed(p.settings.Policy)
	next := &snapshot{all: all, name: row.name, most: int64(p.settings.MaxInFlight), places: p.settings.Queue}
	next.eligible, next.open = p.eligible(all)
	if len(next.eligible) > 0 {
		next.weights = make([]int, len(next.eligible))
		for i, b := range next.eligible {
			next.weights[i] = b.weight * b.warmth
		}
		reduce(next.weights)
		next.bounds, next.bounded = p.bounds(next.eligible)
		next.policy = row.make(candidates{next.eligible, next.weights, &p.turn, p.settings.HashBound})
		next.keyed = row.keyed
	}
	p.snapshot.Store(next)
	p.admit()
}

// eligible are those that may be picked: who is up, of them the backups only if
// there is no other; and if nobody is up, and it is so wanted, who is down.
func (p *ServerPool) eligible(all []*Backend) (eligible []*Backend, open bool) {
	for _, backups := range []bool{false, true} {
		if up := which(all, Up, backups); len(up) > 0 {
			return up, false
		}
	}
	if !p.settings.FailOpen {
		return nil, false
	}
	for _, backups := range []bool{false, true} {
		if down := which(all, Down, backups); len(down) > 0 {
			return down, true
		}
	}
	return nil, false
}

// which are the backends in the state that do not drain: the backups, or the
// others.
func which(all []*Backend, state State, backups bool) []*Backend {
	some := make([]*Backend, 0, len(all))
	for _, b := range all {
		if b.State() == state && b.backup == backups && !b.drains.Load() {
			some = append(some, b)
		}
	}
	return some
}

// FailsOpen reports whether no backend is alive and those are picked that are
// down.
func (p *ServerPool) FailsOpen() bool { return p.snapshot.Load().open }
