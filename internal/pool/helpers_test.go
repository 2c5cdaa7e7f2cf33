package pool_test

import (
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// defaults are the thresholds a proxy runs with unless told otherwise.
var defaults = pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}

// errProbe is what a bad probe found.
var errProbe = errors.New("probe: status 503, want 200")

// urls are those of the backends named, in their order.
func urls(t testing.TB, names ...string) []*url.URL {
	t.Helper()
	all := make([]*url.URL, len(names))
	for i, name := range names {
		u, err := url.Parse("http://" + name)
		require.NoError(t, err)
		all[i] = u
	}
	return all
}

// settled makes a pool whose backends have all passed their first probe.
func settled(t testing.TB, thresholds pool.Thresholds, onChange func(pool.Change), names ...string) (*pool.ServerPool, []*pool.Backend) {
	t.Helper()
	p := pool.New(urls(t, names...), thresholds, onChange)
	for _, b := range p.Backends() {
		require.True(t, p.ObserveProbe(b, nil))
	}
	return p, p.Backends()
}

// acquire takes a lease, which must be there to take.
func acquire(t testing.TB, p *pool.ServerPool) pool.Lease {
	t.Helper()
	lease, err := p.Acquire()
	require.NoError(t, err)
	return lease
}

// share is how many of n picks in a row each backend gets.
func share(t testing.TB, p *pool.ServerPool, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		b, err := p.GetNextHealthyBackend()
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
