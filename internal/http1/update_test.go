package http1

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// Settings are in force for what begins after, and waits go by them at once.
func TestUpdatePutsSettingsInForce(t *testing.T) {
	r := newRig(t, []string{repeating(t, smallAnswer)})
	p := r.dial()
	ask := func(want int) {
		t.Helper()
		p.Send("GET /0123456789 HTTP/1.1\r\nHost: x\r\n\r\n")
		response, _ := p.Response("GET")
		require.Equal(t, want, response.StatusCode)
	}
	ask(200)
	c := testConfig(t, []string{"127.0.0.1:1"})
	c.Timeouts.ClientIdle = 20 * time.Millisecond
	c.Limits.TargetBytes = 10
	r.plane.Update(c)
	_, err := p.Rest()
	require.NoError(t, err, "idle for too long, by the new limit")
	p = r.dial()
	ask(414)
}

// counting answers each request with the number of its connection.
func counting(t *testing.T, hold <-chan bool) (addr string, connections *atomic.Int64) {
	connections = new(atomic.Int64)
	return testkit.Script(t, func(p *testkit.Peer) {
		n := connections.Add(1)
		for head := p.Head(); head != ""; head = p.Head() {
			if strings.HasPrefix(head, "GET /hold ") {
				select {
				case <-hold:
				case <-t.Context().Done():
				}
			}
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n)
		}
	}), connections
}

// Behind another address is another server: neither an unused connection nor
// one that is in use now carries the next request.
func TestRenewedBackendIsConnectedToAnew(t *testing.T) {
	hold := make(chan bool)
	addr, connections := counting(t, hold)
	r := newRig(t, []string{addr})
	ask := func(p *testkit.Peer, path string) string {
		p.Sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		_, body := p.Response("GET")
		r.record() // and so the connection is unused
		return body
	}
	require.Equal(t, "1", ask(r.dial(), "/"))
	require.Equal(t, "1", ask(r.dial(), "/"), "kept")
	busy := r.dial()
	busy.Send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Eventually(t, func() bool { return r.pool.Backends()[0].InFlight() == 1 && r.idle() == 0 }, testkit.Patience, time.Millisecond)
	r.plane.Renew(r.pool.Backends()[0])
	require.Equal(t, "2", ask(r.dial(), "/"))
	hold <- true
	_, body := busy.Response("GET")
	require.Equal(t, "1", body, "what is under way ends where it is")
	r.record()
	require.Equal(t, "2", ask(r.dial(), "/"))
	require.EqualValues(t, 2, connections.Load())
}

// idle counts the unused connections to the first backend.
func (r *rig) idle() int {
	u := r.plane.upstreamOf(r.pool.Backends()[0])
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.idle)
}

// What is still under way with a backend that was removed is ended, before the
// head with an answer.
func TestCutEndsWhatIsUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		request, answer string
		status          int
	}{
		"before the head": {plainGet, "", 503},
		"in an upload":    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", "", 503},
		"in the response": {plainGet, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 200},
		"in a tunnel":     {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101},
		"and comes late":  {"", "", 503},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan bool, 1)
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Send(c.answer)
				arrived <- true
				p.AwaitEnd()
			})})
			b := r.pool.Backends()[0]
			p := r.dial()
			p.Send(c.request)
			if c.request != "" {
				<-arrived
			}
			if c.answer != "" {
				p.Head()
			}
			r.plane.Cut(b)
			if c.request == "" {
				p.Send(plainGet)
			}
			r.ended(hop.BackendRemoved, c.status, false)
			p.CloseWrite()
			rest, _ := p.Rest()
			require.Equal(t, c.status == 503, strings.HasPrefix(rest, "HTTP/1.1 503 "), rest)
			r.plane.Forget(b)
			require.Nil(t, r.plane.upstreamOf(b))
		})
	}
}
