package pool_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// Results, and the states they lead to, are one letter each:
//
//   - good probe        s exchange succeeded    ? unknown
//   - bad probe         f exchange failed       U up
//     a exchange abandoned    D down
//
// Exchanges take their lease just before they end.
func TestConsecutiveResultsChangeTheState(t *testing.T) {
	type thresholds = pool.Thresholds
	for _, c := range []struct {
		name            string
		thresholds      thresholds
		results, states string
	}{
		{"the first probe decides, when good", thresholds{5, 5, 5}, "+", "U"},
		{"the first probe decides, when bad", thresholds{5, 5, 5}, "-", "D"},
		{"the first probe counts towards nothing else", thresholds{3, 3, 1}, "-++++---+++", "DDDUUUUDDDU"},

		{"1 and 1: each probe decides", thresholds{1, 1, 1}, "+-+--++", "UDUDDUU"},
		{"fall 3: two bad ones are not enough", thresholds{1, 3, 1}, "+--+--+", "UUUUUUU"},
		{"fall 3: the third in a row is", thresholds{1, 3, 1}, "+---", "UUUD"},
		{"fall 3: a good one between begins anew", thresholds{1, 3, 1}, "+--+---", "UUUUUUD"},
		{"rise 3: two good ones are not enough", thresholds{3, 1, 1}, "-++-++-", "DDDDDDD"},
		{"rise 3: the third in a row is", thresholds{3, 1, 1}, "-+++", "DDDU"},
		{"rise 3: a bad one between begins anew", thresholds{3, 1, 1}, "-++-+++", "DDDDDDU"},
		{"rise 2, fall 3: each has its own", thresholds{2, 3, 1}, "+--+---+-++---", "UUUUUUDDDDUUUD"},

		{"passive 1: the first failure", thresholds{1, 1, 1}, "+sf", "UUD"},
		{"passive 1: and a good probe brings it back", thresholds{1, 1, 1}, "+f+f+", "UDUDU"},
		{"passive 1: whatever fall says", thresholds{1, 9, 1}, "+f", "UD"},
		{"passive 1: rise says when it is back", thresholds{3, 1, 1}, "+f+++", "UDDDU"},
		{"passive 3: the third in a row", thresholds{1, 1, 3}, "+fff", "UUUD"},
		{"passive 3: a success between begins anew", thresholds{1, 1, 3}, "+ffsfff", "UUUUUUD"},
		{"passive 3: a success in every three keeps it up", thresholds{1, 1, 3}, "+ffsffsffs", "UUUUUUUUUU"},
		{"passive 3: begins anew after a return", thresholds{1, 1, 3}, "+fff+fff", "UUUDUUUD"},
		{"passive 3: begins anew after probes took it down", thresholds{1, 1, 3}, "+ff-+ffsfff", "UUUDUUUUUUD"},

		{"an abandoned exchange is no failure", thresholds{1, 1, 1}, "+aaaa", "UUUUU"},
		{"an abandoned exchange is no success either", thresholds{1, 1, 3}, "+faffa", "UUUUDD"},

		// Passing probes say nothing of real requests: one that answers its
		// probes but fails requests must go down all the same.
		{"a good probe does not clear failed exchanges", thresholds{1, 1, 3}, "+f+f+f", "UUUUUD"},
		{"a good exchange does not clear bad probes", thresholds{1, 3, 1}, "+-s-s-", "UUUUUD"},
		{"failed exchanges do not count as bad probes", thresholds{1, 3, 3}, "+--ff+--f", "UUUUUUUUD"},
		{"a change clears bad probes too", thresholds{1, 3, 1}, "+--f+--", "UUUDUUU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pool.New(members(t, "a"), only(c.thresholds), nil)
			b := p.Backends()[0]
			var states strings.Builder
			for _, result := range c.results {
				before := b.State()
				switch result {
				case '+':
					require.Equal(t, p.ObserveProbe(b, nil), b.State() != before)
				case '-':
					require.Equal(t, p.ObserveProbe(b, errProbe), b.State() != before)
				default:
					exchange(p, result)
				}
				states.WriteByte("?UD"[b.State()])
			}
			require.Equal(t, c.states, states.String())
			require.Zero(t, b.InFlight())
		})
	}
}

// exchange makes one exchange that ends in result, if there is a backend.
func exchange(p *pool.ServerPool, result rune) {
	lease, err := p.Acquire(pool.NoKey)
	if err != nil {
		return
	}
	end(lease, result)
}

func end(lease pool.Lease, result rune) {
	switch result {
	case 's':
		lease.Succeeded()
	case 'f':
		lease.Failed("reset_before_response")
	case 'a':
		lease.Abandoned()
	}
}

func TestFailuresOfABackendThatIsDownAreIgnored(t *testing.T) {
	for _, passive := range []int{1, 3} {
		var seen changes
		p, b := settled(t, only(pool.Thresholds{Rise: 2, Fall: 1, PassiveFall: passive}), seen.add, "a")
		seen.take()
		leases := []pool.Lease{acquire(t, p), acquire(t, p), acquire(t, p), acquire(t, p)}
		p.ObserveProbe(b[0], errProbe)
		require.Equal(t, []string{"http://a: up -> down: " + errProbe.Error()}, seen.take())

		for _, lease := range leases {
			lease.Failed("response_timeout")
		}
		require.Empty(t, seen.take())
		require.Zero(t, b[0].InFlight())

		p.ObserveProbe(b[0], nil)
		p.ObserveProbe(b[0], nil)
		require.Equal(t, pool.Up, b[0].State(), "nor do they delay its return")
		for range passive - 1 {
			exchange(p, 'f')
		}
		require.Equal(t, pool.Up, b[0].State(), "nor count against it afterwards")
	}
}

// Of a hundred requests under way when a backend dies, some take until after
// its return to notice.
func TestFailuresOfLeasesFromBeforeItWentDownAreNoNews(t *testing.T) {
	var seen changes
	p, b := settled(t, defaults, seen.add, "a")
	old := []pool.Lease{acquire(t, p), acquire(t, p), acquire(t, p)}
	old[0].Failed("reset_before_response")
	require.Equal(t, pool.Down, b[0].State())
	p.ObserveProbe(b[0], nil)
	seen.take()

	old[1].Failed("reset_before_response")
	require.Equal(t, pool.Up, b[0].State(), "the same fault takes it down once")
	require.Empty(t, seen.take())

	fresh := acquire(t, p)
	fresh.Failed("dial_refused")
	require.Equal(t, []string{"http://a: up -> down: dial_refused"}, seen.take(), "a new one takes it down again")

	p.ObserveProbe(b[0], nil)
	old[2].Failed("reset_before_response")
	require.Equal(t, pool.Up, b[0].State(), "however often it went down since")
	require.Zero(t, b[0].InFlight())
}

func TestFailuresOfLeasesFromBeforeItWentDownDoNotCountTowardsAThreshold(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 2}), nil, "a")
	old := []pool.Lease{acquire(t, p), acquire(t, p)}
	p.ObserveProbe(b[0], errProbe)
	p.ObserveProbe(b[0], nil)
	for _, lease := range old {
		lease.Failed("reset_before_response")
	}
	exchange(p, 'f')
	require.Equal(t, pool.Up, b[0].State())
	exchange(p, 'f')
	require.Equal(t, pool.Down, b[0].State())
}

// Only failures are judged by when the lease was taken: a success is of the
// moment it ends in.
func TestASuccessOfAnOldLeaseBreaksARowOfFailures(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 2}), nil, "a")
	old := acquire(t, p)
	p.ObserveProbe(b[0], errProbe)
	p.ObserveProbe(b[0], nil)
	exchange(p, 'f')
	old.Succeeded()
	exchange(p, 'f')
	require.Equal(t, pool.Up, b[0].State())
}

func TestABackendIsJudgedByItsOwnResults(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 2, PassiveFall: 2}), nil, "a", "b")
	p.ObserveProbe(b[0], errProbe)
	p.ObserveProbe(b[1], errProbe)
	acquire(t, p).Failed("dial_refused")
	acquire(t, p).Failed("dial_refused")
	require.Equal(t, pool.Up, b[0].State())
	require.Equal(t, pool.Up, b[1].State())
	p.ObserveProbe(b[1], errProbe)
	require.Equal(t, pool.Up, b[0].State())
	require.Equal(t, pool.Down, b[1].State())
}

func TestEachChangeIsReportedOnceWithItsReason(t *testing.T) {
	var seen changes
	p := pool.New(members(t, "a", "b"), only(pool.Thresholds{Rise: 2, Fall: 2, PassiveFall: 2}), seen.add)
	a, b := p.Backends()[0], p.Backends()[1]
	probe := func(b *pool.Backend, errs ...error) {
		for _, err := range errs {
			p.ObserveProbe(b, err)
		}
	}

	probe(a, nil, nil, nil)
	require.Equal(t, []string{"http://a: unknown -> up: probe succeeded"}, seen.take())

	refused := errors.New("probe: dial tcp: connection refused")
	probe(b, refused, refused, refused)
	require.Equal(t, []string{"http://b: unknown -> down: probe: dial tcp: connection refused"}, seen.take())

	probe(a, errors.New("the first"), errors.New("the second"), errors.New("the third"))
	require.Equal(t, []string{"http://a: up -> down: the second"}, seen.take(), "the reason is the result that decided")

	probe(a, nil, nil, nil)
	require.Equal(t, []string{"http://a: down -> up: probe succeeded"}, seen.take())

	for _, reason := range []string{"dial_refused", "response_timeout"} {
		acquire(t, p).Failed(reason)
	}
	require.Equal(t, []string{"http://a: up -> down: response_timeout"}, seen.take())
}

func TestAReportedChangeIsInForceAlready(t *testing.T) {
	type seen struct {
		state  pool.State
		picked *pool.Backend
		err    error
	}
	var got []seen
	var p *pool.ServerPool
	p = pool.New(members(t, "a"), defaults, func(c pool.Change) {
		b, err := p.GetNextHealthyBackend(pool.NoKey)
		got = append(got, seen{c.Backend.State(), b, err})
	})
	b := p.Backends()[0]
	p.ObserveProbe(b, nil)
	acquire(t, p).Failed("dial_refused")
	require.Equal(t, []seen{{pool.Up, b, nil}, {pool.Down, nil, pool.ErrNoneAlive}}, got)
}

// The last line of a log must be what is so.
func TestChangesAreReportedInTheirOrder(t *testing.T) {
	var seen changes
	first, goOn := make(chan struct{}), make(chan struct{})
	p := pool.New(members(t, "a"), only(defaults.Thresholds), func(c pool.Change) {
		if c.From == pool.Unknown {
			close(first)
			<-goOn
		}
		seen.add(c)
	})
	a := p.Backends()[0]
	var all sync.WaitGroup
	all.Go(func() { p.ObserveProbe(a, nil) })
	<-first
	ends(t, "a change behind one that is being reported", func() { p.ObserveProbe(a, errProbe) })
	require.Equal(t, pool.Down, a.State())
	close(goOn)
	all.Wait()
	require.Equal(t, []string{
		"http://a: unknown -> up: probe succeeded",
		"http://a: up -> down: " + errProbe.Error(),
	}, seen.take())
}

// Whoever is told of a change may use the pool: nothing is locked meanwhile.
func TestAChangeIsReportedOutsideTheLock(t *testing.T) {
	var seen changes
	var p *pool.ServerPool
	p = pool.New(members(t, "a"), defaults, func(c pool.Change) {
		seen.add(c)
		if c.From == pool.Unknown || c.To == pool.Up {
			return
		}
		p.ObserveProbe(c.Backend, nil)
		if lease, err := p.Acquire(pool.NoKey); err == nil {
			lease.Succeeded()
		}
	})
	ends(t, "a change reported under the lock", func() {
		p.ObserveProbe(p.Backends()[0], nil)
		seen.take()
		p.ObserveProbe(p.Backends()[0], errProbe)
		lease, _ := p.Acquire(pool.NoKey)
		lease.Failed("dial_refused")
	})
	require.Equal(t, []string{
		"http://a: up -> down: " + errProbe.Error(),
		"http://a: down -> up: probe succeeded",
		"http://a: up -> down: dial_refused",
		"http://a: down -> up: probe succeeded",
	}, seen.take())
}

func TestOfFailuresAtTheSameTimeOneChangesTheState(t *testing.T) {
	var downs atomic.Int64
	p, b := settled(t, defaults, func(c pool.Change) {
		if c.To == pool.Down {
			downs.Add(1)
		}
	}, "a", "b")
	var leases []pool.Lease
	for range 200 {
		leases = append(leases, acquire(t, p))
	}
	var all sync.WaitGroup
	for _, lease := range leases {
		all.Go(func() { lease.Failed("reset_before_response") })
	}
	all.Wait()
	require.EqualValues(t, 2, downs.Load(), "one each")
	for _, b := range b {
		require.Equal(t, pool.Down, b.State())
		require.Zero(t, b.InFlight())
	}
}

func TestInFlightCountsLeasesUntilTheyAreGivenBack(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 9}), nil, "a", "b")
	var leases []pool.Lease
	for range 7 {
		leases = append(leases, acquire(t, p))
	}
	require.EqualValues(t, 4, b[0].InFlight())
	require.EqualValues(t, 3, b[1].InFlight())

	p.ObserveProbe(b[0], errProbe)
	require.EqualValues(t, 4, b[0].InFlight(), "an eviction ends no lease")

	for i, lease := range leases {
		end(lease, []rune("sfa")[i%3])
	}
	require.Zero(t, b[0].InFlight())
	require.Zero(t, b[1].InFlight())

	p.GetNextHealthyBackend(pool.NoKey)
	require.Zero(t, b[1].InFlight(), "a pick alone is no lease")
}

func TestStatesHaveNames(t *testing.T) {
	require.Equal(t, "unknown", pool.Unknown.String())
	require.Equal(t, "up", pool.Up.String())
	require.Equal(t, "down", pool.Down.String())
	require.Equal(t, "removed", pool.Removed.String())
}

// With LOG_FORMAT=json a log line must show the same words as in text.
func TestJSONShowsNamesNotInnards(t *testing.T) {
	p, b := settled(t, defaults, nil, "a:8081/prefix")
	p.ObserveProbe(b[0], errProbe)
	got, err := json.Marshal(map[string]any{"backend": b[0], "from": pool.Up, "to": b[0].State()})
	require.NoError(t, err)
	require.JSONEq(t, `{"backend": "http://a:8081/prefix", "from": "up", "to": "down"}`, string(got))
}

func TestAChangeSaysWhetherTrafficCausedIt(t *testing.T) {
	var got []bool
	p, backends := settled(t, defaults, func(c pool.Change) { got = append(got, c.Traffic) }, "a")
	got = nil
	acquire(t, p).Failed("reset")
	p.ObserveProbe(backends[0], nil)
	p.ObserveProbe(backends[0], errProbe)
	require.Equal(t, []bool{true, false, false}, got)
}
