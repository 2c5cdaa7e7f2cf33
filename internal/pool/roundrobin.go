package pool

import "sync/atomic"

// roundRobin takes turns. Any k*n picks in a row over the same n backends give
// each exactly k, however many goroutines pick, since each pick has a number
// of its own.
type roundRobin struct{ next atomic.Uint64 }

func (r *roundRobin) pick(n int) int {
	return int((r.next.Add(1) - 1) % uint64(n))
}
