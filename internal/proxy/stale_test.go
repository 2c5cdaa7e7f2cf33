package proxy_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// closesReused answers the first request of every connection; at the second it
// has closed, as a server may whose idle timeout is over. received counts the
// requests that reached it.
func closesReused(t *testing.T, received *atomic.Int64) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		for first := true; ; first = false {
			request, body := p.Request()
			if request == nil {
				return
			}
			received.Add(1)
			if !first {
				return
			}
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
}

// distinct is n bytes of which no part looks like another.
func distinct(n int) string {
	var text []byte
	for i := 0; len(text) < n; i++ {
		text = fmt.Appendf(text, "%d,", i)
	}
	return string(text[:n])
}

// RFC 9110, 9.2.2: what is idempotent goes again on a fresh connection, and
// the client does not notice.
func TestIdempotentRequestSurvivesAStaleConnection(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		for _, body := range []string{"", "body", distinct(64 << 10)} {
			if body != "" && method != "PUT" && method != "DELETE" {
				continue
			}
			var received atomic.Int64
			r := newRig(t, []string{closesReused(t, &received)})
			for range 2 {
				response, got := r.do(httptest.NewRequest(method, r.url("/"), strings.NewReader(body)))
				require.Equal(t, 200, response.StatusCode, method)
				require.Equal(t, body, got)
				r.failed(hop.None, 200, false)
			}
			require.EqualValues(t, 3, received.Load(), "one went twice")
			r.nobodyBlamed()
		}
	}
}

// What may not be sent again is answered with a 502, delivered once, and the
// backend is not blamed for closing an old connection.
func TestRequestThatMayNotBeRepeatedIsDeliveredOnce(t *testing.T) {
	for name, c := range map[string]struct{ method, body string }{
		"POST":                  {"POST", "body"},
		"POST without body":     {"POST", ""},
		"PATCH":                 {"PATCH", "body"},
		"PUT beyond the buffer": {"PUT", strings.Repeat("x", 64<<10+1)},
	} {
		t.Run(name, func(t *testing.T) {
			var received atomic.Int64
			r := newRig(t, []string{closesReused(t, &received)})
			send := func(status int, cause hop.Cause) {
				response, _ := r.do(httptest.NewRequest(c.method, r.url("/"), strings.NewReader(c.body)))
				require.Equal(t, status, response.StatusCode)
				r.failed(cause, status, false)
			}
			send(200, hop.None)
			send(502, hop.ResetBeforeResponse)
			require.EqualValues(t, 2, received.Load(), "each was delivered once")
			require.Empty(t, r.changes)
		})
	}
}

func TestReplayBufferIsASetting(t *testing.T) {
	var received atomic.Int64
	r := newRig(t, []string{closesReused(t, &received)}, func(c *config.Config) { c.Limits.ReplayBytes = 3 })
	for _, status := range []int{200, 502} {
		response, _ := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
		require.Equal(t, status, response.StatusCode)
	}
}

// A fresh connection that is closed is the backend's failure, whatever the
// method: it is not tried again.
func TestFreshConnectionThatIsClosedIsNotRepeated(t *testing.T) {
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		connections.Add(1)
		p.Request()
	})})
	response, _ := r.get("/")
	require.Equal(t, 502, response.StatusCode)
	r.failed(hop.ResetBeforeResponse, 502, true)
	require.EqualValues(t, 1, connections.Load())
}

// A connection that ends after bytes of an answer was not stale: the backend
// had begun.
func TestReusedConnectionThatEndsInTheHeadIsTheBackendsFailure(t *testing.T) {
	for _, begun := range []string{"HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"} {
		var received atomic.Int64
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Request()
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			p.Request()
			received.Add(1)
			p.Send(begun)
		})})
		r.get("/")
		r.failed(hop.None, 200, false)
		response, _ := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
		require.Equal(t, 502, response.StatusCode)
		r.failed(hop.ResetBeforeResponse, 502, true)
		require.EqualValues(t, 1, received.Load(), "not sent again")
	}
}

// An upload that pauses while its old connection turns out to be stale goes on
// over a fresh one.
func TestPausedUploadSurvivesAStaleConnection(t *testing.T) {
	stale := make(chan bool)
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Request()
		first := connections.Add(1) == 1
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if first {
			p.Head()
			p.Close()
			stale <- true
		}
	})})
	r.get("/")
	r.failed(hop.None, 200, false)
	p := r.dial()
	p.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
	<-stale
	time.Sleep(50 * time.Millisecond) // the pause is the subject
	p.Send("rest")
	response, _ := p.Response("PUT")
	require.Equal(t, 200, response.StatusCode)
	r.failed(hop.None, 200, false)
	require.EqualValues(t, 2, connections.Load())
}

// The record shows every attempt, also those that the client did not notice.
func TestRepeatedRequestShowsInTheRecord(t *testing.T) {
	for _, method := range []string{"GET", "DELETE"} {
		var received atomic.Int64
		r := newRig(t, []string{closesReused(t, &received)})
		r.do(httptest.NewRequest(method, r.url("/"), nil))
		require.Len(t, r.record().Attempts, 1)
		r.do(httptest.NewRequest(method, r.url("/"), nil))
		attempts := r.record().Attempts
		require.Len(t, attempts, 2)
		require.Equal(t, "reset_before_response", attempts[0].Outcome())
		require.Equal(t, "answered", attempts[1].Outcome())
	}
}

// However many connections are stale, each is met once.
func TestRequestSurvivesSeveralStaleConnections(t *testing.T) {
	const stale = 3
	var arrived sync.WaitGroup
	arrived.Add(stale)
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		first := connections.Add(1) <= stale
		p.Request()
		if first { // all are open at once
			arrived.Done()
			arrived.Wait()
		}
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		p.Request() // and not answered
	})})
	for range stale {
		r.dial().Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	for range stale {
		r.failed(hop.None, 200, false)
	}
	response, _ := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
	require.Equal(t, 200, response.StatusCode)
	record := r.record()
	require.Len(t, record.Attempts, stale+1)
	require.EqualValues(t, stale+1, connections.Load())
	r.nobodyBlamed()
}

// That the connection before was stale excuses nothing.
func TestFreshConnectionThatFailsBehindAStaleOneIsTheBackendsFailure(t *testing.T) {
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		if connections.Add(1) == 1 {
			p.Request()
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		p.Request()
	})})
	r.get("/")
	r.failed(hop.None, 200, false)
	response, _ := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
	require.Equal(t, 502, response.StatusCode)
	r.failed(hop.ResetBeforeResponse, 502, true)
	require.EqualValues(t, 2, connections.Load())
}
