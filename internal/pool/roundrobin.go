package pool

// roundRobin takes turns. Any k*n picks in a row over the same n backends give
// each exactly k, however many goroutines pick, since each pick has a number
// of its own.
type roundRobin struct{ candidates }

func newRoundRobin(c candidates) policy { return &roundRobin{c} }

func (r *roundRobin) pick(Key) int { return int(r.next() % uint64(len(r.backends))) }
