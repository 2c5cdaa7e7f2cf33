package pool_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// bounded are settings with so many leases at most, in all and of a backend,
// and so many places to wait.
func bounded(all, each, places int) pool.Settings {
	s := defaults
	s.MaxInFlight, s.BackendMaxInFlight, s.Queue = all, each, places
	return s
}

func TestAFullBackendIsPassedOver(t *testing.T) {
	for _, policy := range pool.Policies() {
		t.Run(policy, func(t *testing.T) {
			s := bounded(0, 2, 0)
			s.Policy = policy
			p, b := settled(t, s, nil, "a", "b", "c")
			var leases []pool.Lease
			for range 6 {
				leases = append(leases, acquire(t, p))
			}
			for _, one := range b {
				require.EqualValues(t, 2, one.InFlight())
			}
			_, err := p.Acquire(pool.NoKey)
			require.ErrorIs(t, err, pool.ErrOverloaded)
			_, err = p.GetNextHealthyBackend(7)
			require.ErrorIs(t, err, pool.ErrOverloaded)
			leases[3].Succeeded()
			require.Same(t, leases[3].Backend, acquire(t, p).Backend, "the one that has room")
		})
	}
}

func TestABackendsOwnBoundCountsBeforeThatOfAll(t *testing.T) {
	wanted := members(t, "a", "b")
	wanted[0].MaxInFlight = 1
	p, b := settled(t, defaults, nil, "a", "b")
	require.Equal(t, []*pool.Backend{b[0]}, p.Update(wanted, bounded(0, 3, 0)).Changed)
	for range 4 {
		acquire(t, p)
	}
	require.EqualValues(t, 1, b[0].InFlight())
	require.EqualValues(t, 3, b[1].InFlight())
	_, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrOverloaded)

	p.Update(members(t, "a", "b"), defaults)
	for range 10 {
		acquire(t, p)
	}
}

// What a full one is spared goes to all the others by their weights, not to its
// neighbour.
func TestTheRestShareWhatAFullOneIsSpared(t *testing.T) {
	wanted := members(t, "a", "b", "c", "d=2")
	wanted[0].MaxInFlight = 1
	s := defaults
	s.Policy = "weighted_round_robin"
	p, b := settled(t, s, nil, "a", "b", "c", "d=2")
	p.Update(wanted, s)
	for b[0].InFlight() == 0 {
		lease := acquire(t, p)
		if lease.Backend != b[0] {
			lease.Succeeded()
		}
	}
	const n = 20000
	got := map[*pool.Backend]int{}
	for range n {
		lease := acquire(t, p)
		got[lease.Backend]++
		lease.Succeeded()
	}
	for i, part := range []float64{0, 0.25, 0.25, 0.5} {
		require.InDelta(t, part*n, got[b[i]], within(n, part)+4, "%v", b[i])
	}
}

// A key's other choice is the same as long as the rest is.
func TestAKeysOtherChoiceStays(t *testing.T) {
	s := bounded(0, 1, 0)
	s.Policy = "consistent_hash"
	p, _ := settled(t, s, nil, "a", "b", "c", "d")
	for key := pool.Key(1); key < 50; key++ {
		first, err := p.Acquire(key)
		require.NoError(t, err)
		second, err := p.Acquire(key)
		require.NoError(t, err)
		require.NotSame(t, first.Backend, second.Backend)
		second.Succeeded()
		again, err := p.Acquire(key)
		require.NoError(t, err)
		require.Same(t, second.Backend, again.Backend)
		again.Succeeded()
		first.Succeeded()
	}
}

func TestNobodyTriedIsPickedAgain(t *testing.T) {
	for _, policy := range pool.Policies() {
		s := defaults
		s.Policy = policy
		p, b := settled(t, s, nil, "a", "b", "c")
		tried := []*pool.Backend{b[1]}
		for len(tried) < 3 {
			lease, err := p.Acquire(5, tried...)
			require.NoError(t, err)
			require.NotContains(t, tried, lease.Backend)
			tried = append(tried, lease.Backend)
		}
		_, err := p.Acquire(5, tried...)
		require.ErrorIs(t, err, pool.ErrNoneLeft)
	}
}

func TestThereAreNoMoreLeasesThanAllowedHoweverManyAsk(t *testing.T) {
	const all, each, askers, rounds = 5, 3, 8, 3000
	p, b := settled(t, bounded(all, each, 0), nil, "a", "b")
	var out, got atomic.Int64
	var running sync.WaitGroup
	for i := range uint64(askers) {
		running.Go(func() {
			random := rand.New(rand.NewPCG(i, 9))
			for range rounds {
				lease, err := p.Acquire(pool.NoKey)
				if err != nil {
					continue
				}
				got.Add(1)
				if out.Add(1) > all || lease.Backend.InFlight() > each {
					t.Error("too many")
				}
				out.Add(-1)
				end(lease, []rune("sa")[random.IntN(2)])
			}
		})
	}
	running.Wait()
	require.Positive(t, got.Load())
	require.Zero(t, b[0].InFlight()+b[1].InFlight())
	for range all {
		acquire(t, p)
	}
}

// waiting is a place in the queue that must be there.
func waiting(t *testing.T, p *pool.ServerPool) *pool.Waiter {
	t.Helper()
	w, err := p.Wait(pool.NoKey)
	require.NoError(t, err)
	return w
}

// answered is the answer, if it has come.
func answered(w *pool.Waiter) (a pool.Answer, ok bool) {
	select {
	case a = <-w.Answer():
		return a, true
	default:
		return a, false
	}
}

func TestTheQueueIsFirstComeFirstServed(t *testing.T) {
	p, _ := settled(t, bounded(1, 0, 2), nil, "a")
	lease := acquire(t, p)
	first, second := waiting(t, p), waiting(t, p)
	_, err := p.Wait(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrOverloaded, "no place left")

	lease.Succeeded()
	a, ok := answered(first)
	require.True(t, ok)
	require.NoError(t, a.Err)
	_, ok = answered(second)
	require.False(t, ok)
	a.Lease.Succeeded()
	a, ok = answered(second)
	require.True(t, ok)
	a.Lease.Succeeded()
	acquire(t, p)
}

func TestNewcomersDoNotOvertakeWhoWaits(t *testing.T) {
	p, _ := settled(t, bounded(0, 1, 1), nil, "a")
	lease := acquire(t, p)
	w := waiting(t, p)
	lease.Succeeded()
	_, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrOverloaded, "the place is taken")
	a, ok := answered(w)
	require.True(t, ok)
	a.Lease.Succeeded()
}

func TestWhoLeavesTheQueueLosesNoLease(t *testing.T) {
	p, b := settled(t, bounded(1, 0, 2), nil, "a")
	lease := acquire(t, p)
	gone, late := waiting(t, p), waiting(t, p)
	require.ErrorIs(t, gone.Leave().Err, pool.ErrOverloaded)
	lease.Succeeded()
	a := late.Leave() // which was answered already
	require.NoError(t, a.Err)
	require.EqualValues(t, 1, b[0].InFlight())
	a.Lease.Abandoned()
	acquire(t, p)
}

func TestWhoWaitsIsServedWhenABackendComesOrTheBoundRises(t *testing.T) {
	p, b := settled(t, bounded(0, 1, 4), nil, "a", "b")
	p.ObserveProbe(b[1], errProbe)
	acquire(t, p)
	w := waiting(t, p)
	p.ObserveProbe(b[1], nil)
	a, ok := answered(w)
	require.True(t, ok)
	require.Same(t, b[1], a.Lease.Backend)

	w = waiting(t, p)
	p.Update(members(t, "a", "b"), bounded(0, 2, 4))
	_, ok = answered(w)
	require.True(t, ok)
}

func TestNobodyWaitsForBackendsThatAreDown(t *testing.T) {
	p, b := settled(t, bounded(0, 1, 4), nil, "a")
	acquire(t, p)
	w := waiting(t, p)
	p.ObserveProbe(b[0], errProbe)
	a, ok := answered(w)
	require.True(t, ok)
	require.ErrorIs(t, a.Err, pool.ErrNoneAlive)
}

// Who waits for the place of a request that took its backend down must not be
// given that backend.
func TestAPlaceIsNotFreeBeforeItsFailureCounts(t *testing.T) {
	p, b := settled(t, bounded(1, 0, 1), nil, "a", "b")
	lease := acquire(t, p)
	w := waiting(t, p)
	lease.Failed("dial_refused")
	a, ok := answered(w)
	require.True(t, ok)
	require.NotSame(t, lease.Backend, a.Lease.Backend)
	require.Equal(t, pool.Down, lease.Backend.State())
	require.Len(t, b, 2)
}

// However leases, waits and changes interleave: nobody is forgotten in the queue
// while there is room, and in the end nothing is in flight.
func TestNobodyIsForgottenInTheQueue(t *testing.T) {
	const askers, rounds = 6, 2000
	p, b := settled(t, bounded(2, 1, askers), nil, "a", "b", "c")
	var running sync.WaitGroup
	for i := range uint64(askers) {
		running.Go(func() {
			random := rand.New(rand.NewPCG(i, 8))
			for range rounds {
				lease, err := p.Acquire(pool.NoKey)
				if err == pool.ErrOverloaded {
					lease, err = waitOrLeave(p, random)
				}
				if err == nil {
					end(lease, []rune("sssa")[random.IntN(4)])
				}
				if random.IntN(100) == 0 {
					p.ObserveProbe(b[2], []error{nil, errProbe}[random.IntN(2)])
				}
				if random.IntN(500) == 0 {
					p.Update(members(t, "a", "b", "c"), bounded(1+random.IntN(3), 1+random.IntN(2), askers))
				}
			}
		})
	}
	ends(t, "a waiter", running.Wait)
	for _, one := range b {
		require.Zero(t, one.InFlight())
	}
	p.Update(members(t, "a", "b", "c"), bounded(2, 0, 1))
	acquire(t, p)
	acquire(t, p)
	_, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrOverloaded)
}

// waitOrLeave waits, without end most of the time.
func waitOrLeave(p *pool.ServerPool, random *rand.Rand) (pool.Lease, error) {
	w, err := p.Wait(pool.NoKey)
	if err != nil {
		return pool.Lease{}, err
	}
	a := pool.Answer{}
	if random.IntN(4) == 0 {
		a = w.Leave()
	} else {
		a = <-w.Answer()
	}
	return a.Lease, a.Err
}

func TestADrainingBackendGetsNothingNew(t *testing.T) {
	p, b := settled(t, defaults, nil, "a", "b")
	leases := []pool.Lease{acquire(t, p), acquire(t, p)}
	drained := members(t, "a", "b")
	drained[0].Drain = true
	require.Equal(t, []*pool.Backend{b[0]}, p.Update(drained, defaults).Changed)
	require.Equal(t, map[string]int{"http://b": 10}, share(t, p, 10))
	_, err := p.AcquireThis(b[0])
	require.ErrorIs(t, err, pool.ErrNoneLeft, "nor to a connection that is bound to it")
	require.EqualValues(t, 1, b[0].InFlight(), "what it has goes on")
	require.Equal(t, pool.Up, b[0].State(), "and it is as well as it was")
	for _, lease := range leases {
		lease.Succeeded()
	}
	require.Equal(t, []*pool.Backend{b[0]}, p.Update(members(t, "a", "b"), defaults).Changed)
	require.Equal(t, map[string]int{"http://a": 5, "http://b": 5}, share(t, p, 10), "undrained: its even share at once")
}

func TestFailOpenTriesThoseThatAreDown(t *testing.T) {
	s := defaults
	s.FailOpen = true
	var seen changes
	p, b := settled(t, s, seen.add, "a", "b", "c!", "d")
	drained := members(t, "a", "b", "c!", "d")
	drained[3].Drain = true
	p.Update(drained, s)
	for _, one := range b[:2] {
		p.ObserveProbe(one, errProbe)
	}
	require.False(t, p.FailsOpen(), "the backup is alive")
	require.Equal(t, map[string]int{"http://c": 4}, share(t, p, 4))
	p.ObserveProbe(b[2], errProbe)
	require.True(t, p.FailsOpen())
	require.Equal(t, map[string]int{"http://a": 2, "http://b": 2}, share(t, p, 4))
	seen.take()
	acquire(t, p).Failed("dial_refused")
	acquire(t, p).Succeeded()
	require.Empty(t, seen.take(), "only a probe brings one back")
	p.ObserveProbe(b[1], nil)
	require.False(t, p.FailsOpen())
	require.Equal(t, map[string]int{"http://b": 4}, share(t, p, 4))

	p.Update([]config.Backend{members(t, "new")[0]}, s)
	_, err := p.GetNextHealthyBackend(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive, "nobody knows yet how to reach one that was not probed")
}

// Whoever is turned away, or waits, has had nobody's turn.
func TestRoundRobinIsExactUnderABoundOfAll(t *testing.T) {
	for _, waiters := range []int{0, 1, 3} {
		p, b := settled(t, bounded(2, 0, waiters), nil, "a", "b", "c")
		open := []pool.Lease{acquire(t, p), acquire(t, p)}
		got := map[*pool.Backend]int{open[0].Backend: 1, open[1].Backend: 1}
		var queue []*pool.Waiter
		for range waiters {
			queue = append(queue, waiting(t, p))
		}
		const rounds = 300
		for range rounds - 2 {
			_, err := p.Acquire(pool.NoKey)
			require.ErrorIs(t, err, pool.ErrOverloaded)
			open[0].Succeeded()
			var lease pool.Lease
			if waiters > 0 {
				a, ok := answered(queue[0])
				require.True(t, ok)
				lease = a.Lease
				queue = append(queue[1:], waiting(t, p))
			} else {
				lease = acquire(t, p)
			}
			got[lease.Backend]++
			open = append(open[1:], lease)
		}
		for _, one := range b {
			require.Equal(t, rounds/3, got[one], "%d wait: %v", waiters, got)
		}
	}
}

// A retry goes on in the request's own place: nobody who waits, or comes, can
// take it.
func TestARetryKeepsTheRequestsPlace(t *testing.T) {
	s := bounded(1, 0, 1)
	s.Retries = pool.Budget{Burst: 1}
	p, b := settled(t, s, nil, "a", "b")
	lease := acquire(t, p)
	w := waiting(t, p)
	next, ok := lease.Another(time.Now(), pool.NoKey, lease.Backend)
	require.True(t, ok)
	require.NotSame(t, lease.Backend, next.Backend)
	lease.Failed("dial_refused")
	_, ok = answered(w)
	require.False(t, ok, "the request is still in flight")

	_, ok = next.Another(time.Now(), pool.NoKey, b[0])
	require.False(t, ok, "the budget is used up")
	_, ok = next.Another(time.Now(), pool.NoKey, b...)
	require.False(t, ok, "nobody is left")
	_, ok = answered(w)
	require.False(t, ok, "and the place is still its own")

	next.Succeeded()
	a, ok := answered(w)
	require.True(t, ok)
	a.Lease.Succeeded()
	require.Zero(t, b[0].InFlight()+b[1].InFlight())
	acquire(t, p)
	_, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrOverloaded, "one place is one place")
}

func TestThisBackendIsTakenOnlyIfItMayBeAndHasRoom(t *testing.T) {
	p, b := settled(t, bounded(0, 1, 0), nil, "a", "b")
	lease, err := p.AcquireThis(b[1])
	require.NoError(t, err)
	require.Same(t, b[1], lease.Backend)
	_, err = p.AcquireThis(b[1])
	require.ErrorIs(t, err, pool.ErrOverloaded)
	lease.Succeeded()
	p.ObserveProbe(b[1], errProbe)
	_, err = p.AcquireThis(b[1])
	require.ErrorIs(t, err, pool.ErrNoneLeft)
	p.Update(members(t, "b"), defaults)
	_, err = p.AcquireThis(b[0])
	require.ErrorIs(t, err, pool.ErrNoneLeft)
	require.Zero(t, b[0].InFlight()+b[1].InFlight())
}
