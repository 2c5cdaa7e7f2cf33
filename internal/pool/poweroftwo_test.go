package pool_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// Of two that are drawn the busier one is never picked: with two backends there
// is no other draw.
func TestTheBusierOfTwoIsNeverPicked(t *testing.T) {
	p, b := balanced(t, "power_of_two", "a=3", "b=1")
	busy(t, p, b[0])
	require.Equal(t, map[string]int{"http://b": 200}, share(t, p, 200))
	busy(t, p, b[1])
	require.Equal(t, map[string]int{"http://a": 200}, share(t, p, 200), "one lease is less for a weight of 3")
}

// busy takes a lease of the backend, and leaves the others as they were.
func busy(t *testing.T, p *pool.ServerPool, b *pool.Backend) pool.Lease {
	t.Helper()
	for range 10_000 {
		lease := acquire(t, p)
		if lease.Backend == b {
			return lease
		}
		lease.Abandoned()
	}
	require.FailNow(t, b.String()+" is never picked")
	panic("unreachable")
}

// The longest queue stays near the mean, far below what a draw of one makes.
func TestTheLongestQueueStaysShort(t *testing.T) {
	const backends, perBackend = 100, 10
	longest := func(policy string) int64 {
		p, b := balanced(t, policy, many(backends)...)
		random := rand.New(rand.NewPCG(6, 5))
		var open []pool.Lease
		for range backends * perBackend {
			open = append(open, acquire(t, p))
		}
		most := int64(0)
		for range 20_000 {
			i := random.IntN(len(open))
			open[i].Succeeded()
			open[i] = acquire(t, p)
			most = max(most, open[i].Backend.InFlight())
		}
		require.Len(t, b, backends)
		return most
	}
	two, one := longest("power_of_two"), longest("random")
	require.LessOrEqual(t, two, int64(perBackend+6))
	require.Greater(t, one, two+3)
}

func TestPowerOfTwoSharesLoadByWeight(t *testing.T) {
	p, b := balanced(t, "power_of_two", "a=6", "b=3", "c=1")
	for range 1000 {
		acquire(t, p)
	}
	for i, want := range []float64{600, 300, 100} {
		require.InEpsilon(t, want, b[i].InFlight(), 0.05)
	}
}
