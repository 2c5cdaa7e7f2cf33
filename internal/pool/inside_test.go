package pool

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// The tests in this file are those that must look inside.

// The lock is held for as long as the test runs, so a request that took it
// would never end.
func TestAHealthyRequestTakesNoLock(t *testing.T) {
	for _, policy := range Policies() {
		t.Run(policy, func(t *testing.T) {
			s := Settings{Thresholds: Thresholds{1, 1, 1}, Policy: policy, HashBound: 1.01}
			p := New([]config.Backend{{URL: &url.URL{Scheme: "http", Host: "a"}}, {URL: &url.URL{Scheme: "http", Host: "b"}}}, s, nil)
			for _, b := range p.Backends() {
				p.ObserveProbe(b, nil)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.WantsKey()
				p.GetNextHealthyBackend(NoKey)
				for _, end := range []func(Lease){Lease.Succeeded, Lease.Abandoned} {
					lease, _ := p.Acquire(1)
					lease.Backend.State()
					lease.Backend.InFlight()
					p.Acquire(1) // with one out, as least_connections and a bound must look twice
					end(lease)
				}
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Second): // only if it is stuck
				require.FailNow(t, "a request waits for the lock")
			}
		})
	}
}

// A backend may be removed between the pick and the count, and then be thought
// drained.
func TestABackendRemovedBetweenThePickAndTheCountIsNotTaken(t *testing.T) {
	a, b := &url.URL{Scheme: "http", Host: "a"}, &url.URL{Scheme: "http", Host: "b"}
	p := New([]config.Backend{{URL: a}, {URL: b}}, Settings{Thresholds: Thresholds{1, 1, 1}}, nil)
	for _, b := range p.Backends() {
		p.ObserveProbe(b, nil)
	}
	removed := p.Backends()[0]
	before := p.snapshot.Load()
	p.Update([]config.Backend{{URL: b}}, Settings{Thresholds: Thresholds{1, 1, 1}})
	p.snapshot.Store(before) // as a pick sees it that began before the update
	lease, err := p.Acquire(NoKey)
	require.NoError(t, err)
	require.Equal(t, "http://b", lease.Backend.String())
	require.Zero(t, removed.InFlight())
}

// A backend may go down between the pick and the moment the lease is dated.
func TestAFailureOfALeaseTakenWhileTheBackendWentDownIsIgnored(t *testing.T) {
	changes := 0
	p := New([]config.Backend{{URL: &url.URL{Scheme: "http", Host: "a"}}}, Settings{Thresholds: Thresholds{1, 1, 1}}, func(Change) { changes++ })
	b := p.Backends()[0]
	p.ObserveProbe(b, nil)
	p.ObserveProbe(b, errors.New("status 503"))
	b.inFlight.Add(1)
	late := Lease{Backend: b, pool: p, downs: b.downs.Load()}
	late.Failed("dial_refused")
	require.Equal(t, 2, changes)
	require.Equal(t, Down, b.State())
}
