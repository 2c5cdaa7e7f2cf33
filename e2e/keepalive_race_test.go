package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// restless is a backend that closes connections at random right after an
// answer, while the next request may be on its way (RFC 9112, 9.5), and counts
// what it is sent.
type restless struct {
	addr string
	seed uint64
	// breaks is how likely it takes a request that is not the first of its
	// connection, and closes without an answer.
	breaks float64

	connections, missed atomic.Uint64
	mu                  sync.Mutex
	deliveries          map[string]int // by path
}

func newRestless(t *testing.T, breaks float64) *restless {
	b := &restless{seed: stack.Seed(t), breaks: breaks, deliveries: make(map[string]int)}
	b.addr = testkit.Script(t, b.serve)
	return b
}

func (b *restless) serve(p *testkit.Peer) {
	dice := rand.New(rand.NewPCG(b.seed, b.connections.Add(1)))
	for first := true; ; first = false {
		request, _ := p.Request()
		if request == nil {
			return
		}
		b.deliver(request.URL.Path)
		if !first && request.URL.Path != "/health" && dice.Float64() < b.breaks {
			return
		}
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		if dice.IntN(4) == 0 {
			b.leave(p, dice)
			return
		}
	}
}

// leave closes within a moment in one of the ways that there are, and sees
// whether a request came when it was too late.
func (b *restless) leave(p *testkit.Peer, dice *rand.Rand) {
	time.Sleep(time.Duration(dice.IntN(500)) * time.Microsecond) // so that it meets requests at any stage
	switch dice.IntN(3) {
	case 0:
		p.Reset()
	case 1:
		p.Close()
	default:
		p.CloseWrite()
		if late := p.Head(); late != "" {
			b.missed.Add(1)
		}
	}
}

func (b *restless) deliver(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliveries[path]++
}

func (b *restless) delivered(path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deliveries[path]
}

// behindProxy is a stack with this backend alone. Probes, too, meet connections
// at their end; a busy machine must not make them late.
func (b *restless) behindProxy(t *testing.T, mode stack.Mode) *stack.Stack {
	return stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("LOG_LEVEL", "info"),
		stack.With("HEALTH_CHECK_INTERVAL", "1s"))
}

// ask sends n requests from several clients at a time, each with a path of its
// own, and returns their statuses by path.
func ask(s *stack.Stack, method string, n int) map[string]int {
	const clients = 8
	var next atomic.Int64
	var mu sync.Mutex
	statuses := make(map[string]int)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				path := fmt.Sprintf("/%s/%d", strings.ToLower(method), i)
				var content io.Reader
				if method != http.MethodGet {
					content = strings.NewReader(path)
				}
				answer, err := s.Try(method, path, content)
				if err != nil {
					s.T.Errorf("%s: %v", path, err)
					return
				}
				mu.Lock()
				statuses[path] = answer.StatusCode
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return statuses
}

func TestClosedIdleConnectionIsNoErrorAndNoReasonToEvict(t *testing.T) {
	const gets = 5000
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		requireUnnoticed(t, mode, http.MethodGet, gets)
	})
}

// What is idempotent and has content is sent again, too, as long as the
// content is kept.
func TestClosedIdleConnectionIsNoErrorForRequestsWithContent(t *testing.T) {
	const puts = 1000
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		requireUnnoticed(t, mode, http.MethodPut, puts)
	})
}

// requireUnnoticed sends n requests, none of which notices how restless the
// backend is.
func requireUnnoticed(t *testing.T, mode stack.Mode, method string, n int) {
	backend := newRestless(t, 0)
	s := backend.behindProxy(t, mode)
	statuses := ask(s, method, n)
	require.Len(t, statuses, n)
	failures := 0
	for _, status := range statuses {
		if status != http.StatusOK {
			failures++
		}
	}
	require.Zero(t, failures, "of %d requests", n)
	require.NotZero(t, backend.missed.Load(), "no request met a connection at its end: nothing was shown")
	require.NotContains(t, s.Proxy.Log(), " to=down ")
	t.Logf("%d connections; at least %d requests came too late", backend.connections.Load(), backend.missed.Load())
}

func TestRequestThatMayNotBeRepeatedIsNeverDeliveredTwice(t *testing.T) {
	const posts = 1000
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		backend := newRestless(t, 0.05)
		s := backend.behindProxy(t, mode)
		statuses := ask(s, http.MethodPost, posts)
		require.Len(t, statuses, posts)
		refused := 0
		for path, status := range statuses {
			n := backend.delivered(path)
			require.LessOrEqual(t, n, 1, "%s was delivered %d times", path, n)
			if status != http.StatusOK {
				require.Equal(t, http.StatusBadGateway, status, path)
				refused++
				continue
			}
			require.Equal(t, 1, n, path)
		}
		require.NotZero(t, refused, "no request met a connection at its end: nothing was shown")
		require.NotContains(t, s.Proxy.Log(), " to=down ")
		t.Logf("%d connections; %d requests were refused", backend.connections.Load(), refused)
	})
}
