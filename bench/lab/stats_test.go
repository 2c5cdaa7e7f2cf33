package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	require.Equal(t, 2.0, Median([]float64{9, 1, 2}))
	require.Equal(t, 3, Median([]int{4, 1, 9, 2}))
	require.Zero(t, Median([]int(nil)))
}

// A round in which all were slow changes no ratio.
func TestRatiosAreTakenRoundByRound(t *testing.T) {
	require.Equal(t, "2.00 (2.00-2.00)", Spread(Ratios([]float64{20, 60, 24}, []float64{10, 30, 12})))
	require.Equal(t, "-", Spread(Ratios([]float64{1}, nil)))
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	require.Equal(t, 50, Percentile(hundred, 50))
	require.Equal(t, 99, Percentile(hundred, 99))
	require.Equal(t, 7, Percentile([]int{7}, 1))
	require.Zero(t, Percentile([]int(nil), 50))
}
