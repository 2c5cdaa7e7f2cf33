package e2e

import (
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// backlog is a listener with a queue of the shortest length, that fills.
type backlog struct {
	t testing.TB
	net.Listener
}

func newBacklog(t testing.TB) *backlog {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // net.FileListener has a descriptor of its own
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	listener, err := net.FileListener(file)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return &backlog{t, listener}
}

// answer takes one connection and answers one request on it.
func (b *backlog) answer() error {
	conn, err := b.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return err
	}
	_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	return err
}

// fill connects until that gets no answer any more.
func (b *backlog) fill() {
	for range 10 {
		conn, err := net.DialTimeout("tcp", b.Addr().String(), 200*time.Millisecond)
		if err != nil {
			return
		}
		b.t.Cleanup(func() { conn.Close() })
	}
	require.FailNow(b.t, "the queue does not fill")
}

// A backend that takes no connection: one that refused could be told at once.
func TestDialTimeoutIsA504AndTheNextGoElsewhere(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		full := newBacklog(t)
		probed := make(chan error, 1)
		go func() { probed <- full.answer() }()
		s := stack.New(t, mode, stack.WithBackends(2), stack.WithPeers(full.Addr().String()),
			stack.With("HEALTH_CHECK_INTERVAL", never), stack.With("HEALTH_CHECK_TIMEOUT", "1s"), stack.With("DIAL_TIMEOUT", "300ms"))
		require.NoError(t, told(t, probed))
		b := s.Peer(full.Addr().String())
		s.AwaitUp(b)
		full.fill()
		path, answer := asked(t, s, "full", 3)
		requireBlamed(t, s, b, path, answer, http.StatusGatewayTimeout, "dial_timeout")
		s.AwaitDown(b)
		require.Equal(t, stack.Shares(3, s.Backends...), s.Spread(6))
	})
}

func TestHeadTimeoutIsA504AndTheNextGoElsewhere(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", never), stack.With("RESPONSE_HEAD_TIMEOUT", "1s"))
		b := s.Backend(2)
		b.Health("down") // else a probe brings it back at once
		b.Fault("fault=hang")
		path, answer := asked(t, s, "hangs", 3)
		requireBlamed(t, s, b, path, answer, http.StatusGatewayTimeout, "response_timeout")
		s.AwaitDown(b)
		require.Equal(t, stack.Shares(3, s.Backend(1), s.Backend(3)), s.Spread(6))
	})
}

// requireNoneAlive requires a 503 that says when to ask again.
func requireNoneAlive(t testing.TB, s *stack.Stack, path, retryAfter string) {
	t.Helper()
	answer := s.Get(path)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Equal(t, "503 Service Unavailable: no_backend_alive\n", answer.Text)
	require.Equal(t, []string{retryAfter}, answer.Header["Retry-After"])
	record := s.Proxy.AwaitRecord(path)
	require.Equal(t, "503", record["status"])
	require.Equal(t, "no_backend_alive", record["cause"])
	require.Equal(t, "-", record["backend"])
	require.Equal(t, "-", record["attempts"], "nobody was asked")
}

// None is alive, by probes and then by their death; each time the first one
// that is well brings the service back.
func TestNoneAliveIsA503UntilOneIsBack(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2), stack.WithQuickProbes())
		first, second := s.Backend(1), s.Backend(2)
		first.Health("down")
		second.Health("down")
		s.AwaitDown(first, second)
		requireNoneAlive(t, s, "/sick", "1")

		first.Health("up")
		s.AwaitUp(first)
		require.Equal(t, stack.Shares(4, first), s.Spread(4))

		first.Kill()
		s.AwaitDown(first)
		requireNoneAlive(t, s, "/dead", "1")

		first.Start()
		second.Health("up")
		s.AwaitUp(first, second)
		require.Equal(t, stack.Shares(3, first, second), s.Spread(6))
		require.Equal(t, 1, strings.Count(s.Proxy.Log(), "msg=ready "), "the proxy was not restarted")
	})
}

// The interval of health checks is when asking again may help.
func TestRetryAfterIsTheHealthInterval(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers("127.0.0.1:1"), stack.With("HEALTH_CHECK_INTERVAL", "7100ms"))
		requireNoneAlive(t, s, "/none", "8")
	})
}

// Nothing is kept in to have something to ask, and nothing queues for it.
func TestLastBackendThatFailsIsOutToo(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", never))
		b := s.Backend(1)
		b.Health("down")
		b.Fault("fault=reset")
		answer := s.Get("/last")
		requireBlamed(t, s, b, "/last", answer, http.StatusBadGateway, "reset_before_response")
		requireNoneAlive(t, s, "/none", "3600")
	})
}
