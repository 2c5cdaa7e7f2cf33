package pool_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

func TestThePickTakesTurnsInTheOrderOfTheConfiguration(t *testing.T) {
	p, _ := settled(t, defaults, nil, "a", "b", "c")
	var got []string
	for range 7 {
		b, err := p.GetNextHealthyBackend(pool.NoKey)
		require.NoError(t, err)
		got = append(got, b.String())
	}
	require.Equal(t, []string{"http://a", "http://b", "http://c", "http://a", "http://b", "http://c", "http://a"}, got)
}

func TestSharesAreExactOverThoseThatAreAlive(t *testing.T) {
	p, b := settled(t, defaults, nil, "a", "b", "c")
	require.Equal(t, map[string]int{"http://a": 1000, "http://b": 1000, "http://c": 1000}, share(t, p, 3000))

	p.ObserveProbe(b[1], errProbe)
	require.Equal(t, map[string]int{"http://a": 1500, "http://c": 1500}, share(t, p, 3000), "no neighbour inherits")

	p.ObserveProbe(b[1], nil)
	require.Equal(t, map[string]int{"http://a": 1000, "http://b": 1000, "http://c": 1000}, share(t, p, 3000), "back with its share")
}

// The rotation is not where it began when a backend goes or comes, and the
// shares must not depend on where it is.
func TestSharesAreExactFromAnyPointOfTheRotation(t *testing.T) {
	for start := range 6 {
		t.Run(fmt.Sprint(start), func(t *testing.T) {
			p, b := settled(t, defaults, nil, "a", "b", "c")
			share(t, p, start)
			p.ObserveProbe(b[0], errProbe)
			require.Equal(t, map[string]int{"http://b": 1, "http://c": 1}, share(t, p, 2))
			share(t, p, start)
			p.ObserveProbe(b[0], nil)
			require.Equal(t, map[string]int{"http://a": 1, "http://b": 1, "http://c": 1}, share(t, p, 3))
		})
	}
}

func TestSharesAreExactUnderConcurrency(t *testing.T) {
	const pickers, picks = 16, 30_000
	p, b := settled(t, defaults, nil, "a", "b", "c")
	for _, c := range []struct {
		name   string
		change func()
		want   map[*pool.Backend]int
	}{
		{"all alive", func() {}, map[*pool.Backend]int{b[0]: 160_000, b[1]: 160_000, b[2]: 160_000}},
		{"after an eviction", func() { p.ObserveProbe(b[0], errProbe) }, map[*pool.Backend]int{b[1]: 240_000, b[2]: 240_000}},
		{"after its return", func() { p.ObserveProbe(b[0], nil) }, map[*pool.Backend]int{b[0]: 160_000, b[1]: 160_000, b[2]: 160_000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change()
			picked := make([]map[*pool.Backend]int, pickers)
			start := make(chan struct{})
			var all sync.WaitGroup
			for i := range picked {
				all.Go(func() {
					mine := map[*pool.Backend]int{}
					<-start
					for range picks {
						if b, err := p.GetNextHealthyBackend(pool.NoKey); err == nil {
							mine[b]++
						}
					}
					picked[i] = mine
				})
			}
			close(start)
			all.Wait()
			got := map[*pool.Backend]int{}
			for _, mine := range picked {
				for b, n := range mine {
					got[b] += n
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestNobodyIsPickedBeforeTheFirstProbe(t *testing.T) {
	p := pool.New(members(t, "a", "b"), defaults, nil)
	for _, b := range p.Backends() {
		require.Equal(t, pool.Unknown, b.State())
	}
	_, err := p.GetNextHealthyBackend(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive)
	_, err = p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive)

	p.ObserveProbe(p.Backends()[1], nil)
	require.Equal(t, map[string]int{"http://b": 10}, share(t, p, 10), "one that is known need not wait for the others")
}

func TestNobodyIsPickedWhenNoneIsAlive(t *testing.T) {
	p, backends := settled(t, defaults, nil, "a", "b")
	for _, b := range backends {
		p.ObserveProbe(b, errProbe)
	}
	_, err := p.GetNextHealthyBackend(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive)
	lease, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive)
	require.EqualError(t, err, "no backend is alive")
	require.Zero(t, lease)
	for _, b := range backends {
		require.Zero(t, b.InFlight())
	}
}

func TestAPoolWithoutBackendsHasNobodyToPick(t *testing.T) {
	p := pool.New(nil, defaults, nil)
	require.Empty(t, p.Backends())
	_, err := p.Acquire(pool.NoKey)
	require.ErrorIs(t, err, pool.ErrNoneAlive)
}

func TestBackendsKeepTheOrderOfTheConfigurationWhateverTheirState(t *testing.T) {
	p, b := settled(t, defaults, nil, "c", "a", "b")
	p.ObserveProbe(b[0], errProbe)
	require.Equal(t, b, p.Backends())
	var names []string
	for _, b := range p.Backends() {
		names = append(names, b.String())
		require.Equal(t, b.String(), b.URL.String())
	}
	require.Equal(t, []string{"http://c", "http://a", "http://b"}, names)
}
