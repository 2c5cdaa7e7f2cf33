package pool_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// model is what the pool promises, said a second time and differently: it
// keeps histories where the pool keeps counters.
type model struct {
	pool.Thresholds
	backends []*modelBackend // in the order of the configuration
}

type modelBackend struct {
	name      string
	state     pool.State
	probes    string // since the last change: + and -
	exchanges string // since the last change: s and f
	life      int    // how often it has changed
	inFlight  int64
	picks     int // since the set of those alive last changed
}

// modelLease remembers whose life it is about.
type modelLease struct {
	pool.Lease
	of   *modelBackend
	life int
}

// probe says what a probe changes: "" for nothing.
func (m *model) probe(b *modelBackend, good bool) string {
	if good {
		b.probes += "+"
	} else {
		b.probes += "-"
	}
	switch {
	case b.state != pool.Up && good && (b.state == pool.Unknown || strings.HasSuffix(b.probes, strings.Repeat("+", m.Rise))):
		return m.change(b, pool.Up, "probe succeeded")
	case b.state != pool.Down && !good && (b.state == pool.Unknown || strings.HasSuffix(b.probes, strings.Repeat("-", m.Fall))):
		return m.change(b, pool.Down, errProbe.Error())
	}
	return ""
}

func (m *model) end(l modelLease, result rune) string {
	l.of.inFlight--
	switch {
	case result == 's':
		l.of.exchanges += "s"
	case result == 'f' && l.of.state == pool.Up && l.of.life == l.life:
		l.of.exchanges += "f"
		if strings.HasSuffix(l.of.exchanges, strings.Repeat("f", m.PassiveFall)) {
			return m.change(l.of, pool.Down, "reset_before_response")
		}
	}
	return ""
}

func (m *model) change(b *modelBackend, to pool.State, reason string) string {
	line := fmt.Sprintf("%s -> %s: %s", b.state, to, reason)
	b.state, b.probes, b.exchanges = to, "", ""
	b.life++
	m.beginRound()
	return line
}

// beginRound is for when the set of those alive has changed.
func (m *model) beginRound() {
	for _, b := range m.backends {
		b.picks = 0
	}
}

// update says what the names wanted change.
func (m *model) update(names []string, t pool.Thresholds) (added, removed, kept string) {
	var all []*modelBackend
	var diff [3][]string
	for _, name := range names {
		b := m.named(name)
		if b == nil {
			b = &modelBackend{name: name}
			diff[0] = append(diff[0], name)
		} else {
			diff[2] = append(diff[2], name)
		}
		all = append(all, b)
	}
	for _, b := range m.backends {
		if !slices.Contains(names, b.name) {
			diff[1] = append(diff[1], b.name)
			b.state = pool.Removed
		}
	}
	m.backends, m.Thresholds = all, t
	m.beginRound()
	return strings.Join(diff[0], " "), strings.Join(diff[1], " "), strings.Join(diff[2], " ")
}

func (m *model) named(name string) *modelBackend {
	for _, b := range m.backends {
		if b.name == name {
			return b
		}
	}
	return nil
}

// even says that nobody who is alive is more than one pick ahead of another,
// and that nobody else was picked.
func (m *model) even() bool {
	least, most := -1, 0
	for _, b := range m.backends {
		if b.state != pool.Up {
			if b.picks > 0 {
				return false
			}
			continue
		}
		if least < 0 || b.picks < least {
			least = b.picks
		}
		most = max(most, b.picks)
	}
	return most-max(least, 0) <= 1
}

// difference is what is not as it should be, or "".
func (m *model) difference(p *pool.ServerPool) string {
	if len(p.Backends()) != len(m.backends) {
		return fmt.Sprintf("%v, want %d", p.Backends(), len(m.backends))
	}
	for i, want := range m.backends {
		b := p.Backends()[i]
		if b.String() != "http://"+want.name || b.State() != want.state || b.InFlight() != want.inFlight {
			return fmt.Sprintf("%v is %v with %d in flight, want %v with %d",
				b, b.State(), b.InFlight(), want.state, want.inFlight)
		}
	}
	return ""
}

func TestAnyScheduleOfResultsIsJudgedAsPromised(t *testing.T) {
	const seeds, steps = 60, 3000
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 2))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { follow(t, random, steps) })
	}
}

// follow leads a pool and a model through the same random schedule.
func follow(t *testing.T, random *rand.Rand, steps int) {
	m := new(model)
	names := someNames(random)
	m.update(names, someThresholds(random))
	var seen changes
	p := pool.New(members(t, names...), only(m.Thresholds), seen.add)
	good := []float64{0.2, 0.5, 0.8, 0.95}[random.IntN(4)] // how often all is well
	var open []modelLease
	for step := range steps {
		var about, want string
		switch kind := random.IntN(10); {
		case random.IntN(100) == 0: // an update
			names, thresholds := someNames(random), someThresholds(random)
			added, removed, kept := m.update(names, thresholds)
			before := p.Backends()
			d := p.Update(members(t, names...), only(thresholds))
			require.Equal(t, []string{added, removed, kept}, []string{named(d.Added), named(d.Removed), named(d.Kept)}, "step %d", step)
			for _, b := range d.Removed { // too late to change anything
				require.False(t, p.ObserveProbe(b, []error{nil, errProbe}[random.IntN(2)]))
			}
			require.Subset(t, before, d.Kept, "step %d", step)
		case kind < 3 && len(m.backends) > 0: // a probe
			at := random.IntN(len(m.backends))
			ok := random.Float64() < good
			about, want = m.backends[at].name, m.probe(m.backends[at], ok)
			var changed bool
			if ok {
				changed = p.ObserveProbe(p.Backends()[at], nil)
			} else {
				changed = p.ObserveProbe(p.Backends()[at], errProbe)
			}
			require.Equal(t, want != "", changed, "step %d", step)
		case kind < 7: // an exchange begins
			lease, err := p.Acquire(pool.NoKey)
			if err != nil {
				require.ErrorIs(t, err, pool.ErrNoneAlive)
				for _, b := range m.backends {
					require.NotEqual(t, pool.Up, b.state, "step %d", step)
				}
				break
			}
			b := m.named(strings.TrimPrefix(lease.Backend.String(), "http://"))
			require.NotNil(t, b, "step %d: %v is not there", step, lease.Backend)
			b.inFlight++
			b.picks++
			require.True(t, m.even(), "step %d: picks are uneven, or of one that is not up", step)
			open = append(open, modelLease{lease, b, b.life})
		case len(open) > 0: // any exchange ends
			i := random.IntN(len(open))
			lease := open[i]
			open = append(open[:i], open[i+1:]...)
			result := 's'
			if random.Float64() > good {
				result = []rune("ffa")[random.IntN(3)]
			}
			about, want = lease.of.name, m.end(lease, result)
			end(lease.Lease, result)
			require.Equal(t, lease.of.inFlight, lease.Backend.InFlight(), "step %d", step)
		}
		var reported []string
		if want != "" {
			reported = []string{"http://" + about + ": " + want}
		}
		if got := seen.take(); !slices.Equal(reported, got) { // Equal itself is slow
			require.Equal(t, reported, got, "step %d", step)
		}
		require.Empty(t, m.difference(p), "step %d", step)
	}
	for _, lease := range open {
		lease.Abandoned()
	}
	for _, b := range p.Backends() {
		require.Zero(t, b.InFlight())
	}
}

// someNames are up to five of eight, in any order.
func someNames(random *rand.Rand) []string {
	var names []string
	for _, i := range random.Perm(8)[:random.IntN(6)] {
		names = append(names, fmt.Sprint("b", i))
	}
	return names
}

func someThresholds(random *rand.Rand) pool.Thresholds {
	return pool.Thresholds{Rise: 1 + random.IntN(4), Fall: 1 + random.IntN(4), PassiveFall: 1 + random.IntN(4)}
}

// The same with everybody at once, where only what must hold in the end, and
// the number of changes, can be foretold.
func TestManyAtOnceLeaveAPoolThatAddsUp(t *testing.T) {
	const requesters, probers, steps = 8, 2, 3000
	var mu sync.Mutex
	balance := map[*pool.Backend]int{} // times it came up less times it went down
	p := pool.New(members(t, "a", "b", "c"), only(pool.Thresholds{Rise: 1, Fall: 2, PassiveFall: 3}), func(c pool.Change) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case c.To == pool.Up:
			balance[c.Backend]++
		case c.From == pool.Up:
			balance[c.Backend]--
		}
	})
	var all sync.WaitGroup
	for i := range uint64(requesters) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(i, 3))
			var open []pool.Lease
			for range steps {
				if lease, err := p.Acquire(pool.NoKey); err == nil {
					open = append(open, lease)
				}
				for len(open) > 0 && random.IntN(2) == 0 {
					end(open[0], []rune("sffa")[random.IntN(4)])
					open = open[1:]
				}
			}
			for _, lease := range open {
				end(lease, []rune("sfa")[random.IntN(3)])
			}
		})
	}
	for i := range uint64(probers) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(i, 4))
			for range steps {
				b := p.Backends()[random.IntN(3)]
				if random.IntN(2) == 0 {
					p.ObserveProbe(b, nil)
				} else {
					p.ObserveProbe(b, errProbe)
				}
			}
		})
	}
	all.Wait()

	alive := map[string]int{}
	for _, b := range p.Backends() {
		require.Zero(t, b.InFlight())
		up := 0
		if b.State() == pool.Up {
			up, alive[b.String()] = 1, 100
		}
		require.Equal(t, up, balance[b], "changes reported and the state they led to")
	}
	if len(alive) == 0 {
		_, err := p.GetNextHealthyBackend(pool.NoKey)
		require.ErrorIs(t, err, pool.ErrNoneAlive)
		return
	}
	require.Equal(t, alive, share(t, p, 100*len(alive)))
}
