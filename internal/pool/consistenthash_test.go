package pool_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// keys are as many as a test asks for.
const keys = 20_000

// chosen is who each of the keys goes to.
func chosen(t testing.TB, p *pool.ServerPool) []*pool.Backend {
	t.Helper()
	all := make([]*pool.Backend, keys)
	for i := range all {
		b, err := p.GetNextHealthyBackend(pool.Key(i + 1))
		require.NoError(t, err)
		all[i] = b
	}
	return all
}

// moved is the part of the keys that go elsewhere.
func moved(before, after []*pool.Backend) float64 {
	n := 0
	for i := range before {
		if before[i].String() != after[i].String() {
			n++
		}
	}
	return float64(n) / float64(len(before))
}

func TestAKeyStaysWithItsBackend(t *testing.T) {
	p, _ := balanced(t, "consistent_hash", "a", "b", "c")
	before := chosen(t, p)
	sequence(t, p, 1000) // requests without a key do not matter
	acquire(t, p)
	require.Zero(t, moved(before, chosen(t, p)))
}

func TestRemovingOneOfNMovesFewKeysBesidesItsOwn(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 5))
	for _, n := range []int{2, 3, 4, 5, 10, 30, 100, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p, b := balanced(t, "consistent_hash", many(n)...)
			before := chosen(t, p)
			for range 5 {
				out := b[random.IntN(n)]
				p.ObserveProbe(out, errProbe)
				require.LessOrEqual(t, moved(before, chosen(t, p)), 1/float64(n)+0.02)
				p.ObserveProbe(out, nil)
				require.Zero(t, moved(before, chosen(t, p)), "all come back with it")
			}
		})
	}
}

func TestHashedSharesEqualTheWeights(t *testing.T) {
	for _, names := range [][]string{{"a", "b", "c"}, {"a=5", "b=1", "c=4"}, {"a=256", "b=1"}, many(50)} {
		p, b := balanced(t, "consistent_hash", names...)
		weights := map[*pool.Backend]float64{}
		sum := 0.0
		for i, backend := range members(t, names...) {
			weights[b[i]] = float64(max(1, backend.Weight))
			sum += weights[b[i]]
		}
		got := map[*pool.Backend]int{}
		for _, b := range chosen(t, p) {
			got[b]++
		}
		for b, weight := range weights {
			require.InDelta(t, keys*weight/sum, got[b], within(keys, weight/sum)+2, "%v of %v", b, names)
		}
		without := share(t, p, keys)
		for b, weight := range weights {
			require.InDelta(t, keys*weight/sum, without[b.String()], within(keys, weight/sum)+2, "%v without keys", b)
		}
	}
}

// Two proxies need not have the same order, nor the same past.
func TestTwoProxiesChooseTheSame(t *testing.T) {
	names := []string{"a=2", "b", "c=3", "d", "e", "f!"}
	one, _ := balanced(t, "consistent_hash", names...)
	slices.Reverse(names)
	other, b := balanced(t, "consistent_hash", names...)
	p := other.Backends()
	for range 3 {
		other.ObserveProbe(p[1], errProbe)
		sequence(t, other, 7)
		other.ObserveProbe(p[1], nil)
	}
	require.Zero(t, moved(chosen(t, one), chosen(t, other)))
	other.ObserveProbe(b[2], errProbe)
	require.NotZero(t, moved(chosen(t, one), chosen(t, other)))
}

func TestABoundLetsNobodyHaveMoreThanItsPart(t *testing.T) {
	const bound = 1.25
	p, b := balanced(t, "consistent_hash", "a=2", "b", "c")
	before := chosen(t, p)
	s := defaults
	s.Policy, s.HashBound = "consistent_hash", bound
	p.Update(members(t, "a=2", "b", "c"), s)
	require.Zero(t, moved(before, chosen(t, p)), "as without a bound while nobody is at it")

	weights := map[*pool.Backend]float64{b[0]: 0.5, b[1]: 0.25, b[2]: 0.25}
	hot := pool.Key(3) // everybody wants the same
	first, err := p.GetNextHealthyBackend(hot)
	require.NoError(t, err)
	var open []pool.Lease
	for n := range 400 {
		lease, err := p.Acquire(hot)
		require.NoError(t, err)
		open = append(open, lease)
		require.Less(t, float64(lease.Backend.InFlight()-1), bound*weights[lease.Backend]*float64(n+1), "step %d", n)
	}
	require.InDelta(t, bound*weights[first]*400, first.InFlight(), 1, "the key's own has all that it may")
	for _, lease := range open {
		lease.Succeeded()
	}
	again, err := p.GetNextHealthyBackend(hot)
	require.NoError(t, err)
	require.Equal(t, first, again)
}
