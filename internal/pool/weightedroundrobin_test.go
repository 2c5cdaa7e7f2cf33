package pool_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

func TestWeightsMakeASmoothRotation(t *testing.T) {
	for _, c := range []struct{ backends, want string }{
		{"a=5 b=1 c=1", "a a b a c a a a a b a c a a"},
		{"a=1 b=1 c=5", "c c a c b c c"},
		{"a=50 b=10 c=10", "a a b a c a a"},
		{"a b c", "a b c a b c"},
		{"a=2 b", "a b a a b a"},
		{"a=3", "a a a"},
	} {
		p, _ := balanced(t, "weighted_round_robin", strings.Fields(c.backends)...)
		require.Equal(t, c.want, sequence(t, p, len(strings.Fields(c.want))), c.backends)
	}
}

// Wherever in the rotation a member leaves or returns, the next picks, as many
// as the weights of those that are there sum up to, are exact; and so is every
// window of that length from there on.
func TestAnyWindowOfTheSumOfWeightsIsExact(t *testing.T) {
	weights := map[string]int{"a": 5, "b": 1, "c": 1, "d": 3}
	p, b := balanced(t, "weighted_round_robin", "a=5", "b", "c", "d=3")
	exact := func() {
		up := map[string]int{}
		window := 0
		for _, b := range b {
			if b.State() == pool.Up {
				name := named([]*pool.Backend{b})
				up[name] = weights[name]
				window += weights[name]
			}
		}
		picked := strings.Fields(sequence(t, p, 3*window))
		for begin := range 2 * window {
			counts := map[string]int{}
			for _, name := range picked[begin : begin+window] {
				counts[name]++
			}
			require.Equal(t, up, counts, "from %d of %v", begin, picked)
		}
	}
	random := rand.New(rand.NewPCG(3, 5))
	exact()
	for range 300 {
		sequence(t, p, 1+random.IntN(12))
		which := b[1+random.IntN(3)] // a stays, so that somebody is there
		if which.State() == pool.Up {
			p.ObserveProbe(which, errProbe)
		} else {
			p.ObserveProbe(which, nil)
		}
		exact()
	}
}

// A change after every few picks must not favour those at the beginning of the
// rotation.
func TestChangesInQuickSuccessionFavourNobody(t *testing.T) {
	p, b := balanced(t, "weighted_round_robin", "a=5", "b=3", "c=2", "d=1")
	counts := map[string]int{}
	random := rand.New(rand.NewPCG(4, 5))
	const rounds = 20_000
	for range rounds {
		for name, n := range share(t, p, 1+random.IntN(3)) {
			counts[name] += n
		}
		p.ObserveProbe(b[3], errProbe)
		p.ObserveProbe(b[3], nil)
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	for i, weight := range []int{5, 3, 2, 1} {
		require.InEpsilon(t, float64(sum*weight)/11, counts[b[i].String()], 0.01, "%v", counts)
	}
}

func TestWeightedSharesAreExactUnderConcurrency(t *testing.T) {
	p, _ := balanced(t, "weighted_round_robin", "a=5", "b=2", "c=1")
	var mu sync.Mutex
	got := map[string]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			mine := share(t, p, 8000)
			mu.Lock()
			defer mu.Unlock()
			for name, n := range mine {
				got[name] += n
			}
		})
	}
	all.Wait()
	require.Equal(t, map[string]int{"http://a": 40_000, "http://b": 16_000, "http://c": 8_000}, got)
}

func TestAnUpdateChangesWeights(t *testing.T) {
	p, b := balanced(t, "weighted_round_robin", "a=5", "b", "c")
	s := defaults
	s.Policy = "weighted_round_robin"
	lease := acquire(t, p)
	d := p.Update(members(t, "a", "b=2", "c"), s)
	require.Equal(t, "a b c", named(d.Kept))
	require.Equal(t, "a b", named(d.Changed))
	require.Equal(t, map[string]int{"http://a": 100, "http://b": 200, "http://c": 100}, share(t, p, 400))
	require.EqualValues(t, 1, b[0].InFlight(), "leases stay")
	lease.Abandoned()
	require.Empty(t, p.Update(members(t, "a=1", "b=2", "c=0"), s).Changed, "no weight is 1")
}

func TestAnUpdateChangesThePolicy(t *testing.T) {
	p, b := balanced(t, "random", "a=5", "b", "c")
	for _, policy := range pool.Policies() {
		s := defaults
		s.Policy = policy
		p.Update(members(t, "a=5", "b", "c"), s)
		require.Equal(t, policy == "consistent_hash", p.WantsKey(), policy)
	}
	s := defaults
	s.Policy = "weighted_round_robin"
	p.Update(members(t, "a=5", "b", "c"), s)
	require.Equal(t, map[string]int{"http://a": 50, "http://b": 10, "http://c": 10}, share(t, p, 70))
	for _, b := range b {
		require.Equal(t, pool.Up, b.State(), fmt.Sprint(b))
	}
}
