package pool

import (
	"math/rand/v2"
	"slices"
)

// draw draws backends at random, each as often as its weight says.
type draw struct{ upTo []uint64 } // the weights up to each backend's, it included

func newDraw(weights []int) draw {
	upTo := make([]uint64, len(weights))
	sum := uint64(0)
	for i, w := range weights {
		sum += uint64(w)
		upTo[i] = sum
	}
	return draw{upTo}
}

// one is any of the backends.
func (d draw) one() int { return d.at(rand.Uint64N(d.sum())) }

// another is any but the first; there must be more than one.
func (d draw) another(first int) int {
	before, upTo := uint64(0), d.upTo[first]
	if first > 0 {
		before = d.upTo[first-1]
	}
	ticket := rand.Uint64N(d.sum() - (upTo - before))
	if ticket >= before {
		ticket += upTo - before
	}
	return d.at(ticket)
}

func (d draw) sum() uint64 { return d.upTo[len(d.upTo)-1] }

// at is the backend whose part of all weights the ticket lies in.
func (d draw) at(ticket uint64) int {
	i, _ := slices.BinarySearch(d.upTo, ticket+1)
	return i
}
