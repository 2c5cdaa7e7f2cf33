package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

const overloaded = "503 Service Unavailable: overloaded\n"

// requireOverloaded requires the next request to be turned away, and told when
// to come again.
func requireOverloaded(t *testing.T, s *stack.Stack, path string) {
	t.Helper()
	answer := s.Get(path)
	require.Equal(t, overloaded, answer.Text)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	record := s.Proxy.AwaitRecord(path)
	require.Equal(t, []string{"overloaded", "-"}, []string{record["cause"], record["attempts"]})
}

func TestFullBackendIsPassedOver(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("BACKEND_MAX_IN_FLIGHT", "2"), stack.With("HEALTH_CHECK_INTERVAL", never))
		var busy []*testkit.Peer
		for i := range 6 {
			busy = append(busy, inFlight(s, "GET", fmt.Sprintf("/busy-%d?fault=hang", i), "\r\n"))
		}
		for _, b := range s.Backends {
			require.Equal(t, 2, strings.Count(s.Proxy.Log(), "msg=picked backend="+b.URL()+" "), b.Name)
		}
		requireOverloaded(t, s, "/one-more")
		for i, p := range busy {
			p.Reset()
			s.Proxy.AwaitRecord(fmt.Sprintf("/busy-%d", i))
		}
		require.Equal(t, stack.Shares(2, s.Backends...), s.Spread(6))
	})
}

// held is a backend whose answer to a path waits for the test.
func held(t *testing.T, paths ...string) (c *counting, release chan bool) {
	release = make(chan bool)
	scripts := make(map[string]func(*testkit.Peer))
	for _, path := range paths {
		scripts[path] = func(p *testkit.Peer) {
			<-release
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		}
	}
	c = newCounting(t, "held", scripts)
	t.Cleanup(func() { close(release) }) // also where a test has failed before
	return c, release
}

func TestRequestsWaitForTheirPlaceInTurn(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		paths := []string{"/1", "/2", "/3"}
		b, release := held(t, paths...)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("MAX_IN_FLIGHT", "1"), stack.With("QUEUE", "2"), stack.With("QUEUE_TIMEOUT", stack.Patience.String()))
		var peers []*testkit.Peer
		for i, path := range paths {
			p := s.Dial()
			p.Sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			peers = append(peers, p)
			s.Proxy.AwaitLog(fmt.Sprintf("msg=%s .* path=%s\n", []string{"picked", "queued", "queued"}[i], path))
		}
		requireOverloaded(t, s, "/beyond")
		for i, p := range peers {
			s.Proxy.AwaitLog("msg=picked .* path=" + paths[i] + "\n")
			require.Equal(t, i+1, strings.Count(s.Proxy.Log(), "msg=picked "), "one at a time")
			release <- true
			response, _ := p.Response("GET")
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
		s.Spread(3)
	})
}

func TestRequestThatWaitsTooLongIsTurnedAway(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		const deadline = 200 * time.Millisecond
		b, release := held(t, "/busy")
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("BACKEND_MAX_IN_FLIGHT", "1"), stack.With("QUEUE", "1"), stack.With("QUEUE_TIMEOUT", deadline.String()))
		busy := inFlight(s, "GET", "/busy", "\r\n")
		start := time.Now()
		requireOverloaded(t, s, "/late")
		require.GreaterOrEqual(t, time.Since(start), deadline)
		require.Zero(t, b.got("GET /late"))
		release <- true
		busy.Response("GET")
		s.Spread(2)
	})
}

func TestClientThatLeavesTheQueueGivesItsPlaceUp(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		b, release := held(t, "/busy")
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("MAX_IN_FLIGHT", "1"), stack.With("QUEUE", "1"), stack.With("QUEUE_TIMEOUT", stack.Patience.String()))
		busy := inFlight(s, "GET", "/busy", "\r\n")
		leaves := s.Dial()
		leaves.Send("GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n")
		s.Proxy.AwaitLog("msg=queued .* path=/leaves\n")
		leaves.Reset()
		record := s.Proxy.AwaitRecord("/leaves")
		require.Equal(t, []string{"499", "client_gone", "-"}, []string{record["status"], record["cause"], record["attempts"]})

		stays := s.Dial()
		stays.Send("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n")
		s.Proxy.AwaitLog("msg=queued .* path=/stays\n")
		release <- true
		for _, p := range []*testkit.Peer{busy, stays} {
			response, _ := p.Response("GET")
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
		require.Zero(t, b.got("GET /leaves"))
		require.NotContains(t, s.Proxy.Log(), "backend is down")
	})
}
