package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// update puts other settings and backends in force, as app does.
func (r *rig) update(backends []string, settings ...func(*config.Config)) pool.Diff {
	r.t.Helper()
	c := testConfig(r.t, backends)
	for _, set := range settings {
		set(c)
	}
	d := r.pool.Update(c.Backends, pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}})
	r.proxy.Update(c)
	for _, b := range d.Added {
		r.pool.ObserveProbe(b, nil)
		<-r.changes
	}
	return d
}

// counted is a backend that answers every request until it is closed, and
// holds those for /held until it is told to go on. It counts its connections,
// those it had and those it has.
type counted struct {
	addr     string
	had, has atomic.Int64
	held     chan bool // a request has come
	goOn     chan bool
}

func newCounted(t testing.TB) *counted {
	c := &counted{held: make(chan bool, 100), goOn: make(chan bool, 100)}
	c.addr = testkit.Script(t, func(p *testkit.Peer) {
		c.had.Add(1)
		c.has.Add(1)
		defer c.has.Add(-1)
		for head := p.Head(); head != ""; head = p.Head() {
			if strings.HasPrefix(head, "GET /held ") {
				c.held <- true
				<-c.goOn
			}
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	t.Cleanup(func() { close(c.goOn) })
	return c
}

// hasSoon does not wait as long as a peer, which ends a connection then.
func (c *counted) hasSoon(t testing.TB, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return c.has.Load() == n }, testkit.Patience/2, time.Millisecond, "%d connections, want %d", c.has.Load(), n)
}

func TestConnectionsToBackendsThatStaySurviveAnUpdate(t *testing.T) {
	a, b := newCounted(t), newCounted(t)
	r := newRig(t, []string{a.addr})
	for range 10 {
		_, body := r.get("/")
		require.Equal(t, "ok", body)
		r.record()
		r.update([]string{b.addr, a.addr}, func(c *config.Config) { c.Timeouts.ClientBody += time.Second })
		r.update([]string{a.addr})
	}
	require.EqualValues(t, 1, a.had.Load())
}

func TestSettingsOfConnectionsToBackendsReplaceThem(t *testing.T) {
	a := newCounted(t)
	r := newRig(t, []string{a.addr})
	underWay := r.dial()
	underWay.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
	<-a.held
	r.get("/")
	a.hasSoon(t, 2)
	r.update([]string{a.addr}, func(c *config.Config) { c.Timeouts.ResponseHead = time.Hour })
	a.hasSoon(t, 1)
	a.goOn <- true
	_, body := underWay.Response("GET")
	require.Equal(t, "ok", body, "what is under way ends as it began")
	a.hasSoon(t, 0)
	r.get("/")
	require.EqualValues(t, 3, a.had.Load())
	for range 3 {
		r.record()
	}
}

func TestARenewedBackendIsConnectedToAnew(t *testing.T) {
	a, b := newCounted(t), newCounted(t)
	r := newRig(t, []string{a.addr, b.addr})
	for range 2 {
		r.get("/")
		r.record()
	}
	r.proxy.Renew(r.pool.Backends()[0])
	a.hasSoon(t, 0)
	b.hasSoon(t, 1)
}

func TestOtherSettingsAreForExchangesThatBeginAfterwards(t *testing.T) {
	a := newCounted(t)
	r := newRig(t, []string{a.addr}, func(c *config.Config) { c.Limits.TargetBytes = 100 })
	long := "/" + strings.Repeat("x", 150)
	response, _ := r.get(long)
	require.Equal(t, http.StatusRequestURITooLong, response.StatusCode)
	r.update([]string{a.addr}, func(c *config.Config) { c.Limits.TargetBytes = 200 })
	response, _ = r.get(long)
	require.Equal(t, http.StatusOK, response.StatusCode)
	r.update([]string{"http://nobody.test"}, func(c *config.Config) { c.Backends, c.Health.Interval = nil, 77*time.Second })
	response, _ = r.get("/")
	require.Equal(t, "77", response.Header.Get("Retry-After"))
	for range 3 {
		r.record()
	}
}

func TestABackendThatCameIsForwardedTo(t *testing.T) {
	a, b := newCounted(t), newCounted(t)
	r := newRig(t, []string{a.addr})
	r.update([]string{a.addr, b.addr})
	for range 4 {
		_, body := r.get("/")
		require.Equal(t, "ok", body)
		r.record()
	}
	require.EqualValues(t, 1, b.has.Load())
}

func TestARemovedBackendKeepsItsExchangesAndItsConnectionsUntilTheyEnd(t *testing.T) {
	a, b := newCounted(t), newCounted(t)
	r := newRig(t, []string{a.addr})
	underWay := r.dial()
	underWay.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
	<-a.held
	gone := r.update([]string{b.addr}).Removed[0]
	r.get("/")
	r.record()
	require.EqualValues(t, 1, b.had.Load(), "new requests go elsewhere")
	r.update([]string{b.addr}, func(c *config.Config) { c.Timeouts.ResponseHead = time.Hour })
	a.goOn <- true
	_, body := underWay.Response("GET")
	require.Equal(t, "ok", body)
	require.Equal(t, "http://"+a.addr, r.record().Attempts[0].Backend)
	r.proxy.Forget(gone)
	a.hasSoon(t, 0)
	r.proxy.DropIdle(gone)
	r.proxy.Cut(gone)
	r.proxy.Forget(gone)
}

// What is still under way with a removed backend when its time is over is cut.
// That is neither the backend's fault nor the client's.
func TestTheCutOfARemovedBackend(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		script  func(*testkit.Peer) // behind the request's head
		status  int                 // of the record
		answer  string              // what the client gets at least
	}{
		"before the head": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", func(*testkit.Peer) {}, 503, "\r\n\r\n503 Service Unavailable: backend_removed\n"},
		"an upload":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", func(*testkit.Peer) {}, 503, "\r\n\r\n503 Service Unavailable: backend_removed\n"},
		"a body": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", func(p *testkit.Peer) {
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: text/event-stream\r\n\r\nhalf")
		}, 200, "\r\n\r\nhalf"},
		"a tunnel": {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", func(p *testkit.Peer) {
			p.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhalf")
		}, 101, "\r\n\r\nhalf"},
	} {
		t.Run(name, func(t *testing.T) {
			sent, ended := make(chan bool), make(chan bool)
			addr := testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				c.script(p)
				sent <- true
				p.AwaitEnd()
				close(ended)
			})
			other := newCounted(t)
			r := newRig(t, []string{addr})
			client := r.dial()
			client.Send(c.request)
			<-sent
			r.update([]string{addr}, func(c *config.Config) { c.Timeouts.ResponseHead = time.Hour }) // it goes on over a connection of before
			gone := r.update([]string{other.addr}).Removed[0]
			var got string
			if c.status != 503 {
				for !strings.Contains(got, c.answer) {
					got += client.Take(1)
				}
			}
			r.proxy.Cut(gone)
			<-ended
			if c.status == 503 {
				response, body := client.Response("GET")
				require.Equal(t, "503 Service Unavailable: backend_removed\n", body)
				require.Equal(t, "10", response.Header.Get("Retry-After"))
			} else {
				rest, _ := io.ReadAll(client.R)
				require.Empty(t, rest)
			}
			record := r.record()
			require.Equal(t, hop.BackendRemoved.String(), record.Cause.String())
			require.Equal(t, c.status, record.Status)
			require.Empty(t, r.changes)
			require.Eventually(t, func() bool { return gone.InFlight() == 0 }, testkit.Patience, time.Millisecond)
		})
	}
}

func TestAConnectionThatComesBehindTheCutIsCutToo(t *testing.T) {
	a := newCounted(t)
	r := newRig(t, []string{a.addr})
	r.proxy.Cut(r.pool.Backends()[0]) // its lease is yet to come
	_, body := r.get("/")
	require.Equal(t, "503 Service Unavailable: backend_removed\n", body)
	r.record()
	a.hasSoon(t, 0)
}
