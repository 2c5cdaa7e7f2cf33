package e2e

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

func TestConnectionAboveTheCapIsReset(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("MAX_CONNECTIONS", "3"))
		clients := []*testkit.Peer{s.Dial(), s.Dial(), s.Dial()}
		for _, p := range clients {
			requireServed(t, p)
		}
		requireReset(t, s, "127.0.0.1")
		s.Proxy.AwaitLog(`level=WARN msg="too many connections: new ones are reset" refused=1 of_one_client=0 last=127\.0\.0\.1:\d+\n`)
		clients[0].Close()
		require.Eventually(t, func() bool {
			_, err := s.Try("GET", "/", nil) // over a connection that is kept
			return err == nil
		}, stack.Patience, time.Millisecond)
		requireReset(t, s, "127.0.0.1")
		requireServed(t, clients[1])
		requireServed(t, clients[2])
	})
}

func TestEachClientHasACapOfItsOwn(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("MAX_CONNECTIONS_PER_CLIENT", "1"))
		requireServed(t, s.Dial())
		requireReset(t, s, "127.0.0.1")
		conn, err := from("127.0.0.2").Dial("tcp", s.Proxy.Addr)
		require.NoError(t, err)
		requireServed(t, testkit.NewPeer(t, conn))
		requireReset(t, s, "127.0.0.2")
		s.Proxy.AwaitLog(`level=WARN msg="too many connections: new ones are reset" refused=1 of_one_client=1 last=127\.0\.0\.1:\d+\n`)
	})
}

// from dials from an address of this host.
func from(addr string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}, Timeout: testkit.Patience}
}

// requireServed requires an answer over the connection, which stays open.
func requireServed(t *testing.T, p *testkit.Peer) {
	t.Helper()
	p.Send(line("/"))
	response, _ := p.Response("GET")
	require.Equal(t, 200, response.StatusCode)
}

// requireReset requires a new connection to be reset before it was asked
// anything.
func requireReset(t *testing.T, s *stack.Stack, addr string) {
	t.Helper()
	conn, err := from(addr).Dial("tcp", s.Proxy.Addr)
	if err == nil { // the reset may be quicker
		_, err = testkit.NewPeer(t, conn).Rest()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
