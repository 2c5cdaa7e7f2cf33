package pool_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// schedule leads a pool through a long random life: backends fail and recover,
// are added, removed, weighed anew and made backups; time passes; requests come
// and go. After each step whoever is picked must have been eligible.
type schedule struct {
	t        *testing.T
	random   *rand.Rand
	pool     *pool.ServerPool
	settings pool.Settings
	wanted   []config.Backend
	open     []pool.Lease
	now      time.Time
}

func TestAnyScheduleKeepsEveryPolicysPromises(t *testing.T) {
	const seeds = 6
	for _, policy := range pool.Policies() {
		steps := 1500
		if policy == "consistent_hash" {
			steps = 400 // each of which may make a table
		}
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprintf("%s/%d", policy, seed), func(t *testing.T) {
				newSchedule(t, policy, seed).run(steps)
			})
		}
	}
}

func newSchedule(t *testing.T, policy string, seed uint64) *schedule {
	s := &schedule{t: t, random: rand.New(rand.NewPCG(seed, 6)), settings: defaults, now: time.Now()}
	s.settings.Policy = policy
	if seed%2 == 1 {
		s.settings.SlowStart = time.Minute
	}
	if seed%3 == 2 {
		s.settings.HashBound = 1.1
	}
	s.wanted = s.someBackends()
	s.pool = pool.New(s.wanted, s.settings, nil)
	return s
}

func (s *schedule) run(steps int) {
	for step := range steps {
		s.step()
		s.pick(step)
		if step%100 == 99 {
			s.shares(step)
			s.oneGoes(step)
		}
	}
	for _, lease := range s.open {
		lease.Succeeded()
	}
	for _, b := range s.pool.Backends() {
		require.Zero(s.t, b.InFlight())
	}
}

func (s *schedule) step() {
	backends := s.pool.Backends()
	switch kind := s.random.IntN(20); {
	case kind == 0:
		s.wanted = s.someBackends()
		before := map[*pool.Backend]int64{}
		for _, b := range backends {
			before[b] = b.InFlight()
		}
		for _, b := range s.pool.Update(s.wanted, s.settings).Kept {
			require.Equal(s.t, before[b], b.InFlight())
		}
	case kind == 1:
		s.now = s.now.Add(time.Duration(s.random.Int64N(int64(time.Minute))))
		s.pool.Advance(s.now)
	case kind < 8 && len(backends) > 0:
		b := backends[s.random.IntN(len(backends))]
		s.pool.ObserveProbe(b, []error{nil, nil, errProbe}[s.random.IntN(3)])
	case len(s.open) > 0:
		i := s.random.IntN(len(s.open))
		end(s.open[i], []rune("ssssssfa")[s.random.IntN(8)])
		s.open = slices.Delete(s.open, i, i+1)
	}
}

// pick takes a lease, of one that is up, there, and a backup only if need be.
func (s *schedule) pick(step int) {
	eligible := s.eligible()
	lease, err := s.pool.Acquire(pool.Key(s.random.IntN(100)))
	if len(eligible) == 0 {
		require.ErrorIs(s.t, err, pool.ErrNoneAlive, "step %d", step)
		return
	}
	require.NoError(s.t, err, "step %d", step)
	require.Contains(s.t, eligible, lease.Backend.String(), "step %d", step)
	if len(s.open) > 200 {
		lease.Abandoned()
		return
	}
	s.open = append(s.open, lease)
}

// eligible are the weights of those that may be picked.
func (s *schedule) eligible() map[string]int {
	for _, backup := range []bool{false, true} {
		up := map[string]int{}
		for i, b := range s.pool.Backends() {
			if b.State() == pool.Up && s.wanted[i].Backup == backup {
				up[b.String()] = max(1, s.wanted[i].Weight)
			}
		}
		if len(up) > 0 {
			return up
		}
	}
	return nil
}

// settle ends all that makes shares other than the weights: starting, load.
func (s *schedule) settle() {
	for s.pool.Advance(s.now) > 0 {
		s.now = s.now.Add(s.settings.SlowStart)
	}
	for _, lease := range s.open {
		lease.Abandoned()
	}
	s.open = nil
}

// shares requires those of the weights, within the policy's bound.
func (s *schedule) shares(step int) {
	s.settle()
	eligible := s.eligible()
	if len(eligible) == 0 {
		return
	}
	if s.settings.Policy == "round_robin" {
		for name := range eligible {
			eligible[name] = 1
		}
	}
	sum := 0
	for _, weight := range eligible {
		sum += weight
	}
	rounds := 1 + 4000/sum
	n := rounds * sum
	got := share(s.t, s.pool, n)
	for name, weight := range eligible {
		bound := 0.0 // of the others any round is exact
		if slices.Contains([]string{"random", "power_of_two", "consistent_hash"}, s.settings.Policy) {
			bound = within(n, float64(weight)/float64(sum)) + 2
		}
		require.InDelta(s.t, rounds*weight, got[name], bound, "step %d: %v of %v", step, got, eligible)
	}
}

// oneGoes takes one of those that may be picked out of the configuration, and
// requires that few keys go elsewhere for that.
func (s *schedule) oneGoes(step int) {
	eligible := s.eligible()
	if !s.pool.WantsKey() || len(eligible) < 2 {
		return
	}
	before := chosen(s.t, s.pool)
	i := s.random.IntN(len(s.wanted))
	part := 0.0
	if name := s.wanted[i].URL.String(); eligible[name] > 0 {
		mine := 0
		for _, b := range before {
			if b.String() == name {
				mine++
			}
		}
		part = float64(mine) / keys
	}
	less := slices.Delete(slices.Clone(s.wanted), i, i+1)
	s.pool.Update(less, s.settings)
	s.wanted = less
	require.LessOrEqual(s.t, moved(before, chosen(s.t, s.pool)), part+0.02, "step %d: %v without %d", step, eligible, i)
}

// someBackends are one to eight, most with a weight, some of them backups.
func (s *schedule) someBackends() []config.Backend {
	var names []string
	for _, i := range s.random.Perm(10)[:1+s.random.IntN(8)] {
		name := fmt.Sprintf("b%d=%d", i, s.random.IntN(8))
		if s.random.IntN(5) == 0 {
			name += "!"
		}
		names = append(names, name)
	}
	return members(s.t, names...)
}
