package pool_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// within is how far from its share of n picks a backend may be that is drawn
// with the probability p: six standard deviations, which luck exceeds once in
// 500 million runs.
func within(n int, p float64) float64 { return 6 * math.Sqrt(float64(n)*p*(1-p)) }

func TestRandomSharesEqualTheWeights(t *testing.T) {
	const n = 100_000
	for _, policy := range []string{"random", "power_of_two"} {
		p, b := balanced(t, policy, "a=5", "b=1", "c=4")
		got := share(t, p, n)
		for i, weight := range []float64{5, 1, 4} {
			require.InDelta(t, n*weight/10, got[b[i].String()], within(n, weight/10), policy)
		}
	}
}

func TestOneBackendIsAlwaysDrawn(t *testing.T) {
	for _, policy := range []string{"random", "power_of_two"} {
		p, _ := balanced(t, policy, "a=7")
		require.Equal(t, map[string]int{"http://a": 100}, share(t, p, 100), policy)
	}
}

func TestRandomIsNoRotation(t *testing.T) {
	p, _ := balanced(t, "random", many(256)...)
	require.NotEqual(t, sequence(t, p, 20), sequence(t, p, 20))
}
