package pool

import "sync/atomic"

// Key stands for what consistent_hash goes by: requests with the same key go to
// the same backend. It is a hash of a part of the request; the pool mixes it
// again, so any hash that tells keys apart will do.
type Key uint64

// NoKey is that of a request that lacks the part, and of one of which nothing
// need be known.
const NoKey Key = 0

// policy answers which backend is next, by its index among those that it was
// made for. It takes no lock and allocates nothing.
type policy interface{ pick(Key) int }

// candidates are what a policy chooses among: at least one backend.
type candidates struct {
	backends []*Backend
	weights  []int          // of each backend; together without a common divisor
	turn     *atomic.Uint64 // numbers the picks; it goes on when the candidates change
	bound    float64        // of consistent_hash, see Settings
}

// next is a number that no other pick has.
func (c *candidates) next() uint64 { return c.turn.Add(1) - 1 }

// policyRow is one row of the table of names.
type policyRow struct {
	name  string
	keyed bool // goes by keys
	make  func(candidates) policy
}

// policies is the table. The first is the default.
var policies = []policyRow{
	{"round_robin", false, newRoundRobin},
	{"weighted_round_robin", false, newWeightedRoundRobin},
	{"least_connections", false, newLeastConnections},
	{"power_of_two", false, newPowerOfTwo},
	{"random", false, newRandom},
	{"consistent_hash", true, newConsistentHash},
}

// Policies are the names there are.
func Policies() []string {
	names := make([]string, len(policies))
	for i, row := range policies {
		names[i] = row.name
	}
	return names
}

func policyNamed(name string) policyRow {
	for _, row := range policies {
		if row.name == name || name == "" {
			return row
		}
	}
	panic("pool: no policy is called " + name) // config lets only good ones pass
}
