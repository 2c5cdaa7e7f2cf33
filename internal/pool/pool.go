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

// ErrNoneAlive is the pick's answer when no backend may be picked.
var ErrNoneAlive = errors.New("no backend is alive")

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
}

// ServerPool is the backends and the policy over them.
type ServerPool struct {
	onChange func(Change)
	turn     atomic.Uint64
	snapshot atomic.Pointer[snapshot]

	mu       sync.Mutex // guards the settings, what backends have under it, and the making of snapshots
	settings Settings
	untold   []Change
	telling  bool
}

// snapshot is what a pick decides over. It never changes.
type snapshot struct {
	all      []*Backend
	eligible []*Backend
	policy   policy // over eligible; nil if there are none
	keyed    bool
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
	if len(s.eligible) == 0 {
		return nil, ErrNoneAlive
	}
	return s.eligible[s.policy.pick(key)], nil
}

// publish makes all, with their states, what the picks see. p.mu is held.
func (p *ServerPool) publish(all []*Backend) {
	next := &snapshot{all: all, eligible: alive(all, false)}
	if len(next.eligible) == 0 {
		next.eligible = alive(all, true)
	}
	if len(next.eligible) > 0 {
		weights := make([]int, len(next.eligible))
		for i, b := range next.eligible {
			weights[i] = b.weight * b.warmth
		}
		reduce(weights)
		row := policyNamed(p.settings.Policy)
		next.policy = row.make(candidates{next.eligible, weights, &p.turn, p.settings.HashBound})
		next.keyed = row.keyed
	}
	p.snapshot.Store(next)
}

// alive are the backends that are up: the backups, or the others.
func alive(all []*Backend, backups bool) []*Backend {
	up := make([]*Backend, 0, len(all))
	for _, b := range all {
		if b.State() == Up && b.backup == backups {
			up = append(up, b)
		}
	}
	return up
}
