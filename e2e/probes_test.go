package e2e

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// probed is a backend that notes when it is probed.
type probed struct {
	addr string
	mu   sync.Mutex
	at   []time.Time
}

// newProbed makes one that answers probes, or never does.
func newProbed(t *testing.T, answers bool) *probed {
	b := new(probed)
	b.addr = testkit.Script(t, func(p *testkit.Peer) {
		for head := p.Head(); strings.HasPrefix(head, "GET /health "); head = p.Head() {
			b.mu.Lock()
			b.at = append(b.at, time.Now())
			b.mu.Unlock()
			if answers {
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	return b
}

func (b *probed) times() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.at...)
}

// measureLateness is how late the machine was at most, in nanoseconds, for one who
// asked for nothing but to be woken, until the test ends.
func measureLateness(t *testing.T) *atomic.Int64 {
	const period = 10 * time.Millisecond
	most, stop, ended := new(atomic.Int64), make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		for due := time.Now().Add(period); ; due = time.Now().Add(period) {
			select {
			case <-stop:
				return
			case <-time.After(period):
				most.Store(max(most.Load(), int64(time.Since(due))))
			}
		}
	}()
	return most
}

// Measured from outside, where a busy machine makes a single gap longer, and the
// one behind it shorter, by as much as it is late for others, too; the mean has no
// such excuse, however long it takes. The exact times are shown in internal/health.
func TestEachBackendIsProbedEveryIntervalSideBySide(t *testing.T) {
	const interval, probes, machine = 200 * time.Millisecond, 9, 150 * time.Millisecond
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		good, hanging := newProbed(t, true), newProbed(t, false)
		stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(good.addr, hanging.addr),
			stack.With("HEALTH_CHECK_INTERVAL", interval.String()), stack.With("HEALTH_CHECK_TIMEOUT", interval.String()))
		lateness := measureLateness(t)
		for _, b := range []*probed{good, hanging} {
			require.Eventually(t, func() bool { return len(b.times()) >= probes }, stack.Patience, time.Millisecond)
			at, late := b.times()[:probes], machine+time.Duration(lateness.Load())
			for i := range probes - 1 {
				gap := at[i+1].Sub(at[i])
				require.Greater(t, gap, interval*9/10-late)
				require.Less(t, gap, interval*11/10+late)
			}
			mean := at[probes-1].Sub(at[0]) / (probes - 1)
			require.Greater(t, mean, interval*9/10-machine/(probes-1))
			require.Less(t, mean, interval*11/10+machine/(probes-1))
		}
	})
}

// All backends at once: the proxy is ready when the slowest has answered, not
// when the last of a queue has.
func TestFirstProbesAreMadeSideBySide(t *testing.T) {
	const backends = 5
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		var asked atomic.Int64
		all, done := make(chan bool), make(chan bool)
		defer close(done)
		var addrs []string
		for range backends {
			addrs = append(addrs, testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				if asked.Add(1) == backends {
					close(all)
				}
				select { // nobody answers before everybody has been asked
				case <-all:
				case <-done:
				}
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				p.AwaitEnd()
			}))
		}
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addrs...),
			stack.With("HEALTH_CHECK_INTERVAL", "1h"), stack.With("HEALTH_CHECK_TIMEOUT", stack.Patience.String()))
		require.Equal(t, backends, strings.Count(s.Proxy.Log(), "from=unknown to=up"))
	})
}
