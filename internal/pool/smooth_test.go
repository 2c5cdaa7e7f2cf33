package pool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// nginx is the rotation as nginx has it, step by step
// (ngx_http_upstream_get_peer).
func nginx(weights []int) []uint32 {
	credits := make([]int, len(weights))
	var order []uint32
	for range total(weights) {
		best := 0
		for i, w := range weights {
			if credits[i] += w; credits[i] > credits[best] {
				best = i
			}
		}
		credits[best] -= total(weights)
		order = append(order, uint32(best))
	}
	return order
}

func TestTheRotationIsNginxs(t *testing.T) {
	require.Equal(t, []uint32{0, 0, 1, 0, 2, 0, 0}, smooth([]int{5, 1, 1}))
	random := rand.New(rand.NewPCG(1, 5))
	for range 500 {
		weights := make([]int, 1+random.IntN(12))
		for i := range weights {
			weights[i] = 1 + random.IntN(1+random.IntN(30)) // often small, so that some are the same
		}
		require.Equal(t, nginx(weights), smooth(weights), "%v", weights)
	}
}

func TestWeightsAreReducedToTheSmallestWithTheSameShares(t *testing.T) {
	for _, c := range []struct{ weights, want []int }{
		{[]int{7}, []int{1}},
		{[]int{20, 20, 20}, []int{1, 1, 1}},
		{[]int{100, 20, 20}, []int{5, 1, 1}},
		{[]int{12, 18, 30}, []int{2, 3, 5}},
		{[]int{20, 3}, []int{20, 3}},
	} {
		got := slices.Clone(c.weights)
		reduce(got)
		require.Equal(t, c.want, got, "%v", c.weights)
	}
}

func TestAPeriodIsBounded(t *testing.T) {
	heavy := make([]int, 256)
	for i := range heavy {
		heavy[i] = 256
	}
	require.Len(t, smooth(heavy), maxPeriod, "that fits")

	random := rand.New(rand.NewPCG(2, 5))
	for _, n := range []int{257, 1000, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			weights := make([]int, n)
			for i := range weights {
				weights[i] = 1 + random.IntN(256*warm)
			}
			order := smooth(weights)
			require.InDelta(t, maxPeriod, len(order), float64(n)/2+1)
			counts := make([]int, n)
			for _, i := range order {
				counts[i]++
			}
			sum := total(weights)
			for i, w := range weights {
				require.Positive(t, counts[i])
				if exact := float64(w) * maxPeriod / float64(sum); exact > 1 {
					require.InDelta(t, exact, counts[i], 0.5, "weight %d of %d", w, sum)
				}
			}
		})
	}
}
