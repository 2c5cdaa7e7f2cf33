//go:build unix

package http1

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/socket"
	"go-proxy/internal/testkit"
)

// An answer may be there before anybody waits for it, and its news be over.
func TestAnswerThatIsFasterThanTheWaitIsNotMissed(t *testing.T) {
	inner, err := net.Dial("tcp", testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send(smallAnswer)
	}))
	require.NoError(t, err)
	c := conn{reused: true}
	c.open(inner, newSweeper(config.Timeouts{}), medium)
	defer c.shut()
	c.askSome = func(fd uintptr) bool {
		done := c.rawAsk(fd)
		if !done {
			awaitNews(fd)
		}
		return done
	}
	require.NoError(t, inner.SetReadDeadline(time.Now().Add(testkit.Patience)))
	rest, err := c.ask([]byte(plainGet))
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, smallAnswer, string(c.in.data()))
}

// awaitNews waits until something has come, and the poller has looked, too.
func awaitNews(fd uintptr) {
	for looks, deadline := 0, time.Now().Add(testkit.Patience); looks < 10 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !socket.Quiet(fd) {
			looks++
		}
	}
}

// A backend may say that it is full to whoever connects.
func TestAnswerThatComesBeforeTheRequestIsNotMissed(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		p.AwaitEnd()
	})})
	r.plane.dial = func(ctx context.Context, b *pool.Backend) (net.Conn, error) {
		c, err := dialBackend(ctx, b)
		if err == nil {
			raw, _ := c.(*net.TCPConn).SyscallConn()
			err = raw.Control(awaitNews)
		}
		return c, err
	}
	p := r.dial()
	p.Send(plainGet)
	response, _ := p.Response("GET")
	require.Equal(t, 503, response.StatusCode)
	require.Equal(t, hop.None, r.record().Cause)
}

// The first byte of a head does not let its time begin anew.
func TestHeadOfAResponseThatDoesNotEndIsA504InTime(t *testing.T) {
	const limit = 4 // ticks
	var asked, told uint64
	var r *rig
	r = newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		ticks := &r.plane.sweeper.now
		for asked = ticks.Load(); ticks.Load() < asked+limit-1; {
			time.Sleep(time.Millisecond)
		}
		p.Send("H")
		p.AwaitEnd()
	})}, func(c *config.Config) { c.Timeouts.ResponseHead = limit * 100 * time.Millisecond })
	observe := r.plane.observe
	r.plane.observe = func(record *records.Record) {
		told = r.plane.sweeper.now.Load()
		observe(record)
	}
	p := r.dial()
	p.Send(plainGet)
	require.Contains(t, p.Head(), " 504 ")
	r.ended(hop.ResponseTimeout, 504, true)
	require.LessOrEqual(t, told-asked, uint64(limit+2))
}

func TestRequestThatIsNotTakenAtOncePassesWhole(t *testing.T) {
	large := strings.Repeat("x", 512<<10)
	take := make(chan bool)
	let := sync.OnceFunc(func() { close(take) })
	defer let()
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		<-take
		request, _ := p.Request()
		if request == nil || request.Header.Get("Large") != large {
			t.Error("not the request")
		}
		p.Send(smallAnswer)
	})}, func(c *config.Config) { c.Limits.HeaderBytes = 1 << 20 })
	r.plane.dial = func(ctx context.Context, b *pool.Backend) (net.Conn, error) {
		c, err := dialBackend(ctx, b)
		if err == nil {
			err = c.(*net.TCPConn).SetWriteBuffer(1) // the least
		}
		return c, err
	}
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: x\r\nLarge: " + large + "\r\n\r\n")
	require.Eventually(t, func() (waits bool) {
		r.plane.sweeper.each(func(c *conn) {
			f, _ := c.writing.get()
			waits = waits || f == theBackendToTake
		})
		return waits
	}, testkit.Patience, time.Millisecond)
	let()
	response, _ := p.Response("GET")
	require.Equal(t, 200, response.StatusCode)
	r.ended(hop.None, 200, false)
}

// Nothing is sent over a connection that has ended, or over which something has
// come. Whatever the request is, it goes over another.
func TestConnectionThatIsNotQuietIsNotUsed(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
	requests := map[string][]string{"GET": {plainGet}, "POST": {post + "once"}, "POST in parts": {post + "on", "ce"}}
	for end, leave := range map[string]func(over, p *testkit.Peer){
		"FIN":   func(over, _ *testkit.Peer) { over.CloseWrite() },
		"RST":   func(over, _ *testkit.Peer) { over.Reset() },
		"bytes": func(_, p *testkit.Peer) { p.Send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers") },
	} {
		for kind, parts := range requests {
			for _, scheme := range []string{"http", "https"} {
				t.Run(end+", "+kind+", "+scheme, func(t *testing.T) { requireNotUsed(t, scheme, leave, kind, parts) })
			}
		}
	}
}

func requireNotUsed(t *testing.T, scheme string, leave func(over, p *testkit.Peer), kind string, parts []string) {
	var connections atomic.Int64
	leaving, late := make(chan bool), make(chan string, 1)
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	r := newRig(t, []string{scheme + "://" + testkit.Script(t, func(over *testkit.Peer) {
		p := over
		if scheme == "https" {
			p = testkit.NewPeer(t, tls.Server(over.Conn, certified.TLS))
		}
		first := connections.Add(1) == 1
		_, body := p.Request()
		p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if first {
			<-leaving
			leave(over, p)
			rest, _ := p.Rest()
			late <- rest
		}
	})})
	u := r.plane.upstreamOf(r.pool.Backends()[0])
	if u.tls != nil {
		u.tls.RootCAs = x509.NewCertPool()
		u.tls.RootCAs.AddCert(certified.Certificate())
	}
	p := r.dial()
	p.Send(plainGet)
	p.Response("GET")
	r.ended(hop.None, 200, false)
	close(leaving)
	requireNotQuiet(t, u)
	for _, part := range parts {
		p.Send(part)
	}
	response, body := p.Response("POST")
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, kind != "GET", body == "once")
	record := r.record()
	require.Equal(t, hop.None, record.Cause)
	require.Len(t, record.Attempts, 1, "nothing was tried over the other")
	require.Empty(t, <-late)
}

// requireNotQuiet waits until something has come over the unused connection, or
// it is none any more.
func requireNotQuiet(t *testing.T, u *upstream) {
	t.Helper()
	require.Eventually(t, func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return len(u.idle) == 0 || !u.idle[0].looksQuiet()
	}, testkit.Patience, time.Millisecond)
}
