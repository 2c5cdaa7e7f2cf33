package pool_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

func TestTheLeastLoadedIsPicked(t *testing.T) {
	p, b := balanced(t, "least_connections", "a", "b", "c")
	leases := map[*pool.Backend]pool.Lease{}
	for range 3 {
		lease := acquire(t, p)
		leases[lease.Backend] = lease
	}
	require.Len(t, leases, 3, "each has one")
	leases[b[1]].Succeeded()
	require.Equal(t, "b b b", sequence(t, p, 3))
	acquire(t, p)
	leases[b[2]].Succeeded()
	require.Equal(t, "c c c", sequence(t, p, 3))
}

func TestLoadIsForTheWeight(t *testing.T) {
	p, b := balanced(t, "least_connections", "a=5", "b=2", "c=1")
	for range 80 {
		acquire(t, p)
	}
	require.EqualValues(t, 50, b[0].InFlight())
	require.EqualValues(t, 20, b[1].InFlight())
	require.EqualValues(t, 10, b[2].InFlight())
}

func TestWhereNobodyIsBusyTurnsAreTakenByWeight(t *testing.T) {
	p, _ := balanced(t, "least_connections", "a=5", "b", "c")
	require.Equal(t, "a a b a c a a a a b a c a a", sequence(t, p, 14))
}

// Behind a busy one stands a neighbour that must not inherit its turns.
func TestOfTheLeastLoadedNobodyGainsByItsPlace(t *testing.T) {
	p, b := balanced(t, "least_connections", "a", "b", "c", "d", "e")
	for range 5 {
		if lease := acquire(t, p); lease.Backend != b[0] && lease.Backend != b[3] {
			lease.Succeeded()
		}
	}
	for b, n := range share(t, p, 6000) {
		require.InEpsilon(t, 2000, n, 0.01, b)
	}
}

// Of many requests at a time, each backend has its part of the weights under
// way: with answers that take the same time everywhere that is its share.
func TestLoadStaysWhereTheWeightsSay(t *testing.T) {
	p, b := balanced(t, "least_connections", "a=3", "b=2", "c=1")
	random := rand.New(rand.NewPCG(5, 5))
	var open []pool.Lease
	for range 60 {
		open = append(open, acquire(t, p))
	}
	for range 20_000 {
		i := random.IntN(len(open))
		open[i].Succeeded()
		open[i] = acquire(t, p)
		for at, weight := range []int64{3, 2, 1} {
			require.InDelta(t, 10*weight, b[at].InFlight(), 1)
		}
	}
}
