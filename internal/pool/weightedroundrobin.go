package pool

// weightedRoundRobin takes turns by weight, and smoothly: 5, 1, 1 gives
// a a b a c a a. The order of one period is made with the snapshot, and a pick
// is the next step in it, so that any window of as many picks as the period is
// long is exact, wherever it begins and however many goroutines pick. When the
// backends change the count of steps goes on: a period is exact from its first
// pick over the new ones, too, and changes in quick succession favour nobody.
type weightedRoundRobin struct {
	candidates
	order []uint32
}

func newWeightedRoundRobin(c candidates) policy {
	return &weightedRoundRobin{c, smooth(c.weights)}
}

func (w *weightedRoundRobin) pick(Key) int {
	return int(w.order[w.next()%uint64(len(w.order))])
}
