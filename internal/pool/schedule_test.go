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
// are added, removed, weighed anew, drained, bounded and made backups; time
// passes; requests come, wait and go. After each step whoever is picked must have
// been eligible, and nobody waits while there is room.
type schedule struct {
	t        *testing.T
	random   *rand.Rand
	pool     *pool.ServerPool
	settings pool.Settings
	wanted   []config.Backend
	open     []pool.Lease
	waiting  []*pool.Waiter
	now      time.Time
}

func TestAnyScheduleKeepsEveryPolicysPromises(t *testing.T) {
	const seeds = 12
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
	s.settings.FailOpen = seed%2 == 0
	s.settings.Ejects = seed%5 == 4
	s.settings.MaxInFlight = []int{0, 150, 20}[seed%3]
	s.settings.BackendMaxInFlight = []int{0, 0, 8, 30}[seed%4]
	s.settings.Queue = 10
	s.wanted = s.someBackends()
	s.pool = pool.New(s.wanted, s.settings, nil)
	return s
}

func (s *schedule) run(steps int) {
	for step := range steps {
		s.step()
		s.served(step)
		s.pick(step)
		if step%100 == 99 {
			s.shares(step)
			s.oneGoes(step)
		}
	}
	s.settle()
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
			require.GreaterOrEqual(s.t, b.InFlight(), before[b])
			if len(s.waiting) == 0 { // else it may have got one more
				require.Equal(s.t, before[b], b.InFlight())
			}
		}
	case kind == 1:
		s.now = s.now.Add(time.Duration(s.random.Int64N(int64(time.Minute))))
		s.pool.Advance(s.now)
	case kind == 2 && len(backends) > 0:
		s.pool.Readmit(backends[s.random.IntN(len(backends))])
	case kind == 3 && len(s.waiting) > 0:
		i := s.random.IntN(len(s.waiting))
		if a := s.waiting[i].Leave(); a.Err == nil {
			a.Lease.Abandoned()
		}
		s.waiting = slices.Delete(s.waiting, i, i+1)
	case kind < 8 && len(backends) > 0:
		b := backends[s.random.IntN(len(backends))]
		s.pool.ObserveProbe(b, []error{nil, nil, errProbe}[s.random.IntN(3)])
	case len(s.open) > 0:
		i := s.random.IntN(len(s.open))
		end(s.open[i], []rune("ssssssfa")[s.random.IntN(8)])
		s.open = slices.Delete(s.open, i, i+1)
	}
}

// pick takes a lease, of one that may be picked and has room, or waits for it.
func (s *schedule) pick(step int) {
	eligible := s.eligible()
	lease, err := s.pool.Acquire(pool.Key(s.random.IntN(100)))
	switch {
	case err == pool.ErrOverloaded:
		require.True(s.t, len(s.waiting) > 0 || s.full(eligible), "step %d: there is room", step)
		if w, err := s.pool.Wait(pool.NoKey); err == nil {
			s.waiting = append(s.waiting, w)
			require.LessOrEqual(s.t, len(s.waiting), s.settings.Queue)
		}
		return
	case len(eligible) == 0:
		require.ErrorIs(s.t, err, pool.ErrNoneAlive, "step %d", step)
		return
	}
	require.NoError(s.t, err, "step %d", step)
	s.take(step, lease, eligible)
}

func (s *schedule) take(step int, lease pool.Lease, eligible map[string]int) {
	require.Contains(s.t, eligible, lease.Backend.String(), "step %d", step)
	if bound := s.bound(lease.Backend); bound > 0 {
		require.LessOrEqual(s.t, lease.Backend.InFlight(), bound, "step %d", step)
	}
	if len(s.open) > 200 {
		lease.Abandoned()
		return
	}
	s.open = append(s.open, lease)
}

// served takes what came for those who wait, in turn. Who still waits has reason
// to.
func (s *schedule) served(step int) {
	eligible := s.eligible()
	for len(s.waiting) > 0 {
		a, ok := answered(s.waiting[0])
		if !ok {
			break
		}
		s.waiting = s.waiting[1:]
		if a.Err == nil {
			s.take(step, a.Lease, eligible)
			continue
		}
		require.ErrorIs(s.t, a.Err, pool.ErrNoneAlive)
	}
	if len(s.waiting) > 0 {
		require.NotEmpty(s.t, eligible, "step %d: nobody to wait for", step)
		require.True(s.t, s.full(eligible), "step %d: there is room for those who wait", step)
	}
}

// full reports whether no more requests may be in flight.
func (s *schedule) full(eligible map[string]int) bool {
	if s.settings.MaxInFlight > 0 && len(s.open) >= s.settings.MaxInFlight {
		return true
	}
	for _, b := range s.pool.Backends() {
		if bound := s.bound(b); eligible[b.String()] > 0 && (bound == 0 || b.InFlight() < bound) {
			return false
		}
	}
	return true
}

// bound is that of a backend's leases, 0 for none.
func (s *schedule) bound(b *pool.Backend) int64 {
	for _, wanted := range s.wanted {
		if wanted.URL.String() == b.String() && wanted.MaxInFlight > 0 {
			return int64(wanted.MaxInFlight)
		}
	}
	return int64(s.settings.BackendMaxInFlight)
}

// eligible are the weights of those that may be picked.
func (s *schedule) eligible() map[string]int {
	for _, state := range []pool.State{pool.Up, pool.Down} {
		if state == pool.Down && !s.settings.FailOpen {
			continue
		}
		for _, backup := range []bool{false, true} {
			some := map[string]int{}
			for i, b := range s.pool.Backends() {
				if b.State() == state && s.wanted[i].Backup == backup && !s.wanted[i].Drain {
					some[b.String()] = max(1, s.wanted[i].Weight)
				}
			}
			if len(some) > 0 {
				return some
			}
		}
	}
	return nil
}

// settle ends all that makes shares other than the weights: starting, load.
func (s *schedule) settle() {
	for s.pool.Advance(s.now) > 0 {
		s.now = s.now.Add(s.settings.SlowStart)
	}
	for _, w := range s.waiting {
		if a := w.Leave(); a.Err == nil {
			a.Lease.Abandoned()
		}
	}
	s.waiting = nil
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

// someBackends are one to eight, most with a weight, some of them backups, some
// that drain, some with a bound of their own.
func (s *schedule) someBackends() []config.Backend {
	var names []string
	for _, i := range s.random.Perm(10)[:1+s.random.IntN(8)] {
		name := fmt.Sprintf("b%d=%d", i, s.random.IntN(8))
		if s.random.IntN(5) == 0 {
			name += "!"
		}
		names = append(names, name)
	}
	wanted := members(s.t, names...)
	for i := range wanted {
		wanted[i].Drain = s.random.IntN(6) == 0
		wanted[i].MaxInFlight = max(0, s.random.IntN(12)-5)
	}
	return wanted
}
