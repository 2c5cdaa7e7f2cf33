package pool_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

func TestPoliciesHaveNames(t *testing.T) {
	require.Equal(t, []string{"round_robin", "weighted_round_robin", "least_connections", "power_of_two", "random", "consistent_hash"}, pool.Policies())
}

func TestAnUnknownPolicyIsAMistakeOfTheProgram(t *testing.T) {
	s := defaults
	s.Policy = "best"
	require.PanicsWithValue(t, "pool: no policy is called best", func() { settled(t, s, nil, "a") })
}

func TestRoundRobinDoesNotWeigh(t *testing.T) {
	p, _ := balanced(t, "round_robin", "a=5", "b", "c")
	require.Equal(t, "a b c a b c", sequence(t, p, 6))
}

func TestWhateverThePolicyOneBackendIsEnough(t *testing.T) {
	for _, policy := range pool.Policies() {
		p, _ := balanced(t, policy, "a=3")
		require.Equal(t, "a a a", sequence(t, p, 3), policy)
	}
}

func TestThePickAllocatesNothing(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p *pool.ServerPool) {
		acquire(t, p) // so that nobody takes a short cut
		key := pool.Key(0)
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			p.GetNextHealthyBackend(key)
			key++
		}))
	})
}

func TestALeaseAllocatesNothing(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p *pool.ServerPool) {
		for _, end := range []func(pool.Lease){pool.Lease.Succeeded, pool.Lease.Abandoned} {
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				lease, _ := p.Acquire(7)
				end(lease)
			}))
		}
	})
}

// eachPolicy runs f for every policy, for consistent_hash with a bound, too.
func eachPolicy(t *testing.T, f func(t *testing.T, p *pool.ServerPool)) {
	names := []string{"a=5", "b=2", "c", "d", "e"}
	for _, policy := range append(pool.Policies(), "consistent_hash bounded") {
		t.Run(policy, func(t *testing.T) {
			policy, bounded := strings.CutSuffix(policy, " bounded")
			p, _ := balanced(t, policy, names...)
			if bounded {
				s := defaults
				s.Policy, s.HashBound = policy, 1.01
				p.Update(members(t, names...), s)
			}
			f(t, p)
		})
	}
}

// The pick alone, without the lease. The backends' weights are 1 to 5.
func BenchmarkPick(b *testing.B) {
	for _, policy := range pool.Policies() {
		for _, n := range []int{3, 100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", policy, n), func(b *testing.B) {
				p, _ := balanced(b, policy, weighed(n)...)
				b.ReportAllocs()
				key := pool.Key(0)
				for b.Loop() {
					key++
					p.GetNextHealthyBackend(key)
				}
			})
		}
	}
}

// Leases taken and given back, with as many out as there are backends.
func BenchmarkLease(b *testing.B) {
	for _, policy := range pool.Policies() {
		for _, n := range []int{3, 1000} {
			b.Run(fmt.Sprintf("%s/%d", policy, n), func(b *testing.B) {
				p, _ := balanced(b, policy, weighed(n)...)
				for i := range n {
					_, err := p.Acquire(pool.Key(i))
					require.NoError(b, err)
				}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					key := pool.Key(0)
					for pb.Next() {
						key++
						lease, _ := p.Acquire(key)
						lease.Succeeded()
					}
				})
			})
		}
	}
}

// What a change of health costs: the tables are made anew.
func BenchmarkFlip(b *testing.B) {
	for _, policy := range pool.Policies() {
		for _, n := range []int{3, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", policy, n), func(b *testing.B) {
				p, backends := balanced(b, policy, weighed(n)...)
				for i := 0; b.Loop(); i++ {
					if i%2 == 0 {
						p.ObserveProbe(backends[1], errProbe)
					} else {
						p.ObserveProbe(backends[1], nil)
					}
				}
			})
		}
	}
}

// weighed are n names with weights.
func weighed(n int) []string {
	names := many(n)
	for i := range names {
		names[i] += fmt.Sprintf("=%d", 1+i%5)
	}
	return names
}
