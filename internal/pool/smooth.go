package pool

import "slices"

// maxPeriod bounds the order that smooth makes: 256 KiB. It holds the exact
// weights of 256 backends of any weight, or of 65,536 with the same. Weights
// that sum up to more are scaled down to it: a share is then off by half of
// 1/65,536 at most, but that nobody's is 0.
const maxPeriod = 1 << 16

// smooth is one period of the weighted rotation that nginx made known: at each
// step everybody's credit rises by the weight, and who has most, of equals the
// first, is next and pays the sum of all weights. Backend i is in it weights[i]
// times, as evenly spread as may be.
//
// Of backends that weigh the same it is always the one next to the last one's
// turn, so only the heads of such groups are compared: a step costs as many
// comparisons as there are different weights.
func smooth(weights []int) []uint32 {
	weights, sum := fit(weights)
	groups := groupByWeight(weights)
	order := make([]uint32, sum)
	for step := range order {
		best, most := 0, 0
		for i, g := range groups {
			credit := g.weight*(step+1) - sum*g.rounds
			if i == 0 || credit > most || credit == most && g.head() < groups[best].head() {
				best, most = i, credit
			}
		}
		order[step] = groups[best].head()
		groups[best].advance()
	}
	return order
}

// group is the backends of one weight, taking turns.
type group struct {
	weight  int
	members []uint32
	turn    int // in members, of the head
	rounds  int // how often the head had its turn
}

func (g *group) head() uint32 { return g.members[g.turn] }

func (g *group) advance() {
	if g.turn++; g.turn == len(g.members) {
		g.turn = 0
		g.rounds++
	}
}

func groupByWeight(weights []int) []*group {
	var groups []*group
	of := make(map[int]*group)
	for i, w := range weights {
		if of[w] == nil {
			of[w] = &group{weight: w}
			groups = append(groups, of[w])
		}
		of[w].members = append(of[w].members, uint32(i))
	}
	return groups
}

// fit scales weights down until a period is within its bound.
func fit(weights []int) (fitting []int, sum int) {
	sum = total(weights)
	if sum <= maxPeriod {
		return weights, sum
	}
	fitting = slices.Clone(weights)
	for i, w := range weights {
		fitting[i] = max(1, (w*maxPeriod+sum/2)/sum)
	}
	return fitting, total(fitting)
}

func total(weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	return sum
}

// reduce divides the weights by their greatest common divisor, in place.
func reduce(weights []int) {
	divisor := 0
	for _, w := range weights {
		for w != 0 {
			divisor, w = w, divisor%w
		}
	}
	for i := range weights {
		weights[i] /= divisor
	}
}
