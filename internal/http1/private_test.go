package http1

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// bound is a client who has logged in on the first connection to a backend that
// answers with the number of the connection, but to /hold only when told.
type bound struct {
	*rig
	p     *testkit.Peer
	hold  chan bool
	ended chan int // connections that the proxy has ended
}

func newBound(t *testing.T, settings ...func(*config.Config)) *bound {
	b := &bound{hold: make(chan bool), ended: make(chan int, 10)}
	connections := make(chan int, 10)
	for i := range cap(connections) {
		connections <- i + 1
	}
	b.rig = newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		n := <-connections
		for head := p.Head(); head != ""; head = p.Head() {
			if strings.HasPrefix(head, "GET /hold ") {
				select {
				case <-b.hold:
				case <-t.Context().Done():
				}
			}
			status := "200 OK\r\n"
			if strings.HasPrefix(head, "GET /login ") {
				status = "401 Unauthorized\r\nWWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n"
			}
			p.Sendf("HTTP/1.1 %sContent-Length: 1\r\n\r\n%d", status, n)
		}
		b.ended <- n
	})}, settings...)
	b.p = b.dial()
	require.Equal(t, "1", ask(b.p, "/login"))
	b.record()
	return b
}

// requireEnded requires the proxy to end the connection, and not its own patience.
func (b *bound) requireEnded(n int) {
	b.t.Helper()
	select {
	case ended := <-b.ended:
		require.Equal(b.t, n, ended)
	case <-time.After(testkit.Patience / 2):
		require.FailNow(b.t, "the connection is open")
	}
}

func send(p *testkit.Peer, path string) { p.Sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path) }

func ask(p *testkit.Peer, path string) (body string) {
	send(p, path)
	_, body = p.Response("GET")
	return body
}

func TestLoginEndsWithTheAddressOfItsBackend(t *testing.T) {
	b := newBound(t)
	require.Equal(t, "1", ask(b.p, "/"))
	b.plane.Renew(b.pool.Backends()[0])
	require.Equal(t, "2", ask(b.p, "/"))
	b.requireEnded(1)
}

// Its client may say nothing more for a long time.
func TestLoginOnARemovedBackendIsEnded(t *testing.T) {
	b := newBound(t)
	b.plane.Forget(b.pool.Backends()[0])
	b.requireEnded(1)
}

func TestLoginIsOfNoUseOnAFullBackend(t *testing.T) {
	b := newBound(t, func(c *config.Config) { c.Bounds.BackendInFlight = 1 })
	first := b.dial()
	send(first, "/hold")
	require.Eventually(t, func() bool { return b.pool.Backends()[0].InFlight() == 1 }, testkit.Patience, time.Millisecond)
	other := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
		p.AwaitEnd()
	})
	c := testConfig(t, []string{b.pool.Backends()[0].URL.String(), other})
	b.pool.Update(c.Backends, pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}, BackendMaxInFlight: 1})
	b.plane.Update(c)
	b.pool.ObserveProbe(b.pool.Backends()[1], nil)
	require.Equal(t, "other", ask(b.p, "/"))
	b.requireEnded(1)
	b.hold <- true
	_, body := first.Response("GET")
	require.Equal(t, "2", body)
}

// As others do, and behind them.
func TestClientWhoHasLoggedInQueues(t *testing.T) {
	b := newBound(t, func(c *config.Config) {
		c.Bounds = config.Bounds{BackendInFlight: 1, Queue: 2}
		c.Timeouts.Queue = testkit.Patience
	})
	first, other := b.dial(), b.dial()
	send(first, "/hold")
	require.Eventually(t, func() bool { return b.pool.Backends()[0].InFlight() == 1 }, testkit.Patience, time.Millisecond)
	for i, waiting := range []*testkit.Peer{other, b.p} {
		send(waiting, []string{"/hold", "/"}[i])
		require.Eventually(t, func() bool { return strings.Count(b.log.String(), "msg=queued") == i+1 }, testkit.Patience, time.Millisecond)
	}
	b.hold <- true
	_, body := first.Response("GET")
	require.Equal(t, "2", body)
	b.hold <- true
	_, body = other.Response("GET")
	require.Equal(t, "2", body)
	_, body = b.p.Response("GET")
	require.Equal(t, "1", body, "over its own connection")
}
