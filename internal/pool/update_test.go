package pool_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

func TestABackendKnowsWhereToConnectTo(t *testing.T) {
	for raw, want := range map[string]string{
		"http://api":                       "api:80",
		"https://api/path":                 "api:443",
		"http://api:8080":                  "api:8080",
		"http://192.0.2.1":                 "192.0.2.1:80",
		"http://[2001:db8::1]:81":          "[2001:db8::1]:81",
		"https://api#192.0.2.1":            "192.0.2.1:443",
		"http://api:8080#2001:db8::1":      "[2001:db8::1]:8080",
		"http://api:8080/path#fe80::1%25e": "[fe80::1%e]:8080",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		b := pool.New([]config.Backend{{URL: u}}, defaults, nil).Backends()[0]
		require.Equal(t, want, b.Address())
		require.Equal(t, raw, b.String())
	}
}

// named are the names of backends, in their order.
func named(backends []*pool.Backend) string {
	var names []string
	for _, b := range backends {
		names = append(names, strings.TrimPrefix(b.String(), "http://"))
	}
	return strings.Join(names, " ")
}

func TestAnUpdateSaysWhatItChanged(t *testing.T) {
	for _, c := range []struct{ name, before, wanted, added, removed, kept string }{
		{"nothing", "a b", "a b", "", "", "a b"},
		{"one more", "a b", "a b c", "c", "", "a b"},
		{"one more, in front", "a b", "c a b", "c", "", "a b"},
		{"one less", "a b c", "a c", "", "b", "a c"},
		{"another order", "a b c", "c a b", "", "", "c a b"},
		{"others", "a b", "d c", "d c", "a b", ""},
		{"some of each", "a b c d", "e d b f", "e f", "a c", "d b"},
		{"none left", "b a", "", "", "b a", ""},
		{"the first ones", "", "a b", "a b", "", ""},
		{"a path makes another one", "a a/x", "a/x a/y", "a/y", "a", "a/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, before := settled(t, defaults, nil, strings.Fields(c.before)...)
			d := p.Update(members(t, strings.Fields(c.wanted)...), defaults)
			require.Equal(t, c.added, named(d.Added))
			require.Equal(t, c.removed, named(d.Removed))
			require.Equal(t, c.kept, named(d.Kept))
			require.Equal(t, c.wanted, named(p.Backends()))
			for _, b := range d.Added {
				require.Equal(t, pool.Unknown, b.State())
			}
			for _, b := range d.Removed {
				require.Equal(t, pool.Removed, b.State())
			}
			require.Subset(t, before, d.Kept, "the same ones")
			require.Subset(t, p.Backends(), d.Kept)
		})
	}
}

func TestThoseThatStayKeepWhatIsKnownOfThem(t *testing.T) {
	var seen changes
	thresholds := only(pool.Thresholds{Rise: 1, Fall: 2, PassiveFall: 3})
	p, b := settled(t, thresholds, seen.add, "a", "b", "x")
	p.ObserveProbe(b[1], errProbe)
	p.ObserveProbe(b[1], errProbe) // down
	var leases []pool.Lease
	for range 4 {
		leases = append(leases, acquire(t, p)) // two of a
	}
	a := b[0]
	for _, lease := range leases[:3] {
		if lease.Backend == a {
			lease.Failed("reset") // a first failure, of three
			break
		}
	}
	p.ObserveProbe(a, errProbe) // a first bad probe, of two
	seen.take()

	d := p.Update(members(t, "b", "a"), thresholds)
	require.Equal(t, "b a", named(d.Kept))
	require.Empty(t, seen.take(), "an update is no change of state")
	require.Equal(t, pool.Down, b[1].State())
	require.Equal(t, pool.Up, a.State())
	require.EqualValues(t, 1, a.InFlight())

	p.ObserveProbe(a, errProbe)
	require.Equal(t, []string{"http://a: up -> down: " + errProbe.Error()}, seen.take(), "the second bad probe in a row")
	p.ObserveProbe(a, nil)
	seen.take()
	for range 2 {
		acquire(t, p).Failed("reset")
	}
	p.Update(members(t, "a"), thresholds)
	acquire(t, p).Failed("reset")
	require.Equal(t, []string{"http://a: up -> down: reset"}, seen.take(), "the third failure in a row")
}

func TestThoseThatComeWaitForTheirFirstProbe(t *testing.T) {
	p, _ := settled(t, defaults, nil, "a")
	added := p.Update(members(t, "a", "b"), defaults).Added[0]
	require.Equal(t, map[string]int{"http://a": 10}, share(t, p, 10))
	require.True(t, p.ObserveProbe(added, nil))
	require.Equal(t, map[string]int{"http://a": 5, "http://b": 5}, share(t, p, 10))
}

func TestThoseThatGoDrain(t *testing.T) {
	var seen changes
	p, b := settled(t, defaults, seen.add, "a", "b")
	seen.take()
	a := b[0]
	leases := []pool.Lease{acquire(t, p), acquire(t, p), acquire(t, p), acquire(t, p), acquire(t, p), acquire(t, p)}
	p.Update(members(t, "b"), defaults)
	require.Equal(t, map[string]int{"http://b": 10}, share(t, p, 10), "not picked at once")
	require.EqualValues(t, 3, a.InFlight(), "their requests go on")

	require.False(t, p.ObserveProbe(a, nil))
	require.False(t, p.ObserveProbe(a, errProbe))
	require.Equal(t, pool.Removed, a.State())
	for i, lease := range leases {
		if lease.Backend == a {
			end(lease, []rune("sfa")[i/2%3])
		} else {
			lease.Abandoned()
		}
	}
	require.Zero(t, a.InFlight())
	require.Equal(t, pool.Removed, a.State())
	require.Empty(t, seen.take(), "what they end in changes nothing")
}

func TestOneThatComesBackIsANewOne(t *testing.T) {
	p, b := settled(t, defaults, nil, "a", "b")
	old := acquire(t, p)
	p.Update(members(t, "b"), defaults)
	again := p.Update(members(t, "a", "b"), defaults).Added[0]
	require.NotSame(t, b[0], again)
	require.Equal(t, pool.Unknown, again.State(), "it may be picked when a probe has passed")
	p.ObserveProbe(again, nil)
	old.Failed("reset")
	require.Equal(t, pool.Up, again.State(), "the failure is of the one that went")
	require.Zero(t, again.InFlight())
}

func TestThresholdsAreJudgedByAsTheyAreNow(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 9, Fall: 9, PassiveFall: 9}), nil, "a")
	for range 3 {
		p.ObserveProbe(b[0], errProbe)
		acquire(t, p).Failed("reset")
	}
	require.Equal(t, pool.Up, b[0].State())
	p.Update(members(t, "a"), only(pool.Thresholds{Rise: 2, Fall: 4, PassiveFall: 9}))
	require.Equal(t, pool.Up, b[0].State(), "the next result decides, not the update")
	p.ObserveProbe(b[0], errProbe)
	require.Equal(t, pool.Down, b[0].State())
	p.ObserveProbe(b[0], nil)
	p.ObserveProbe(b[0], nil)
	require.Equal(t, pool.Up, b[0].State())
	acquire(t, p).Failed("reset")
	p.Update(members(t, "a"), only(pool.Thresholds{Rise: 2, Fall: 4, PassiveFall: 2}))
	acquire(t, p).Failed("reset")
	require.Equal(t, pool.Down, b[0].State())
}

// A lease that was given is in InFlight until it ends, and after a removal
// none is given: so whoever waits for the last one may close up behind it.
func TestNoLeaseOfOneThatHasDrained(t *testing.T) {
	p, _ := settled(t, defaults, nil, "a", "b")
	var drained sync.Map // backends that were removed and had nothing in flight
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				lease := acquire(t, p)
				if _, closed := drained.Load(lease.Backend); closed {
					t.Error("a lease of one that has drained")
				}
				lease.Succeeded()
			}
		})
	}
	for range 2000 {
		d := p.Update(members(t, "b"), defaults)
		for d.Removed[0].InFlight() > 0 {
		}
		drained.Store(d.Removed[0], true)
		p.ObserveProbe(p.Update(members(t, "a", "b"), defaults).Added[0], nil)
	}
	close(stop)
	all.Wait()
}
