package pool_test

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// defaults are the settings a proxy runs with unless told otherwise.
var defaults = only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1})

// only are settings with all but the thresholds left out.
func only(t pool.Thresholds) pool.Settings { return pool.Settings{Thresholds: t} }

// errProbe is what a bad probe found.
var errProbe = errors.New("probe: status 503, want 200")

// members are the backends named, in their order. Behind a name may stand its
// weight, as in a=5, and a ! that makes it a backup.
func members(t testing.TB, names ...string) []config.Backend {
	t.Helper()
	all := make([]config.Backend, len(names))
	for i, name := range names {
		name, all[i].Backup = strings.CutSuffix(name, "!")
		name, weight, weighted := strings.Cut(name, "=")
		if weighted {
			var err error
			all[i].Weight, err = strconv.Atoi(weight)
			require.NoError(t, err)
		}
		u, err := url.Parse("http://" + name)
		require.NoError(t, err)
		all[i].URL = u
	}
	return all
}

// settled makes a pool whose backends have all passed their first probe.
func settled(t testing.TB, s pool.Settings, onChange func(pool.Change), names ...string) (*pool.ServerPool, []*pool.Backend) {
	t.Helper()
	p := pool.New(members(t, names...), s, onChange)
	for _, b := range p.Backends() {
		require.True(t, p.ObserveProbe(b, nil))
	}
	return p, p.Backends()
}

// balanced is settled with the policy. What it costs to make its tables counts
// once, not for every backend.
func balanced(t testing.TB, policy string, names ...string) (*pool.ServerPool, []*pool.Backend) {
	t.Helper()
	p, backends := settled(t, defaults, nil, names...)
	s := defaults
	s.Policy = policy
	p.Update(members(t, names...), s)
	return p, backends
}

// many are n names.
func many(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250)
	}
	return names
}

// sequence is who is picked by n picks in a row.
func sequence(t testing.TB, p *pool.ServerPool, n int) string {
	t.Helper()
	var picked []*pool.Backend
	for range n {
		b, err := p.GetNextHealthyBackend(pool.NoKey)
		require.NoError(t, err)
		picked = append(picked, b)
	}
	return named(picked)
}

// acquire takes a lease, which must be there to take.
func acquire(t testing.TB, p *pool.ServerPool) pool.Lease {
	t.Helper()
	lease, err := p.Acquire(pool.NoKey)
	require.NoError(t, err)
	return lease
}

// share is how many of n picks in a row each backend gets.
func share(t testing.TB, p *pool.ServerPool, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		b, err := p.GetNextHealthyBackend(pool.NoKey)
		require.NoError(t, err)
		got[b.String()]++
	}
	return got
}

// changes remembers what a pool reported, in the words of a log line.
type changes struct {
	mu    sync.Mutex
	lines []string
}

func (c *changes) add(change pool.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line(change))
}

// take returns what was reported since it was last called.
func (c *changes) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines
	c.lines = nil
	return lines
}

func line(c pool.Change) string {
	return c.Backend.String() + ": " + c.From.String() + " -> " + c.To.String() + ": " + c.Reason
}

// deadlock is how long something that takes microseconds may take before a
// test calls it stuck. No test that passes waits for it.
const deadlock = 10 * time.Second

// ends fails the test unless f returns.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(deadlock):
		require.FailNow(t, what+" is stuck")
	}
}
