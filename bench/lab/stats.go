package lab

import (
	"cmp"
	"fmt"
	"slices"
)

// Median is the middle one of the figures, of an even number the mean of the
// two; 0 of none.
func Median[N ~int64 | ~int | ~float64](figures []N) N {
	s := slices.Clone(figures)
	slices.Sort(s)
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// Ratios divides round by round, so that what disturbed a whole round drops
// out.
func Ratios[N ~int64 | ~float64](figures, base []N) []float64 {
	ratios := make([]float64, min(len(figures), len(base)))
	for i := range ratios {
		ratios[i] = float64(figures[i]) / float64(base[i])
	}
	return ratios
}

// Spread writes the median with the smallest and the largest.
func Spread(ratios []float64) string {
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", Median(ratios), slices.Min(ratios), slices.Max(ratios))
}

// Percentile is the figure that p of 100 do not exceed.
func Percentile[N cmp.Ordered](sorted []N, p int) (figure N) {
	if len(sorted) > 0 {
		figure = sorted[max(0, (len(sorted)*p+99)/100-1)]
	}
	return figure
}
