package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// Each event must be with the client before the backend is allowed to send
// the next, so nothing that holds one back can pass.
func TestStreamsAreFlushedAtOnce(t *testing.T) {
	for _, contentType := range []string{"text/event-stream", "application/octet-stream"} {
		next := make(chan bool)
		addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			for i := range 5 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		})
		// An answer of known length could wait an hour; a stream may not.
		r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.Flush = time.Hour })
		p := r.dial()
		p.Send("GET / HTTP/1.0\r\n\r\n")
		p.Head()
		for i := range 5 {
			require.Equal(t, fmt.Sprintf("data: %d\n\n", i), p.Take(len("data: 0\n\n")))
			next <- true
		}
	}
}

// The head and the start of an answer of known length come within the flush
// interval though the rest does not.
func TestAnswerOfKnownLengthIsNotHeldBack(t *testing.T) {
	release := make(chan bool)
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.(http.Flusher).Flush()
		<-release
		w.Write([]byte("start"))
		w.(http.Flusher).Flush()
		<-release
		w.Write([]byte("-rest"))
	})
	r := newRig(t, []string{addr})
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Contains(t, p.Head(), "200 OK")
	release <- true
	require.Equal(t, "start", p.Take(5))
	release <- true
	require.Equal(t, "-rest", p.Take(5))
}

func TestInformationalResponses(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Nominated\r\nX-Nominated: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\n\r\n"
	const final = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	t.Run("are relayed without their hop-by-hop fields", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, says(hints+hints+final))})
		p := r.dial()
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 2 {
			require.Equal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", p.Head())
		}
		head := p.Head()
		require.Contains(t, head, "200 OK")
		require.NotContains(t, head, "Link")
	})
	t.Run("are not for HTTP/1.0", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, says(hints+final))})
		got := r.raw("GET / HTTP/1.0\r\n\r\n")
		require.True(t, strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n"), got)
	})
	t.Run("100 nobody asked for is swallowed", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 100 Continue\r\n\r\n"+final))})
		p := r.dial()
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, p.Head(), "200 OK")
	})
	t.Run("up to the limit", func(t *testing.T) {
		for n, status := range map[int]int{16: 200, 17: 502} {
			r := newRig(t, []string{testkit.Script(t, says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", n)+final))})
			response, _ := r.get("/")
			require.Equal(t, status, response.StatusCode)
		}
	})
}

func TestExpectContinue(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	t.Run("the backend's 100 is relayed, and then the body comes", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Send("HTTP/1.1 100 Continue\r\n\r\n")
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		})}, func(c *config.Config) { c.Timeouts.ExpectContinue = time.Hour })
		p := r.dial()
		p.Send(request)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", p.Head())
		p.Send("body")
		response, body := p.Response("POST")
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "body", body)
	})
	t.Run("other 1xx responses do not stand for it", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		})}, func(c *config.Config) { c.Timeouts.ExpectContinue = time.Hour })
		p := r.dial()
		p.Send(request)
		require.Equal(t, "HTTP/1.1 103 Early Hints\r\n\r\n", p.Head())
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", p.Head())
	})
	t.Run("a backend that ignores it gets the body anyway", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		})}, func(c *config.Config) { c.Timeouts.ExpectContinue = time.Millisecond })
		p := r.dial()
		p.Send(request)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", p.Head())
		p.Send("body")
		_, body := p.Response("POST")
		require.Equal(t, "body", body)
	})
	t.Run("a refusal is passed on, and the body is not waited for", func(t *testing.T) {
		r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"))},
			func(c *config.Config) { c.Timeouts.ExpectContinue = time.Hour })
		got := r.raw(request)
		require.True(t, strings.HasPrefix(got, "HTTP/1.1 413 "), got)
		require.Contains(t, got, "\r\nConnection: close\r\n")
		require.True(t, strings.HasSuffix(got, "\r\n\r\nno"), got)
		r.failed(hop.None, 413, false)
	})
}

func TestTrailersPassInBothDirections(t *testing.T) {
	for name, announced := range map[string]string{"announced": "Trailer: X-Sum, Authorization\r\n", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				head := p.Head()
				body := p.Take(len("2\r\nab\r\n0\r\n"))
				got <- head + body + p.Head()
				p.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + announced + "\r\n2\r\ncd\r\n0\r\nX-Sum: 2\r\nAuthorization: x\r\n\r\n")
			})})
			p := r.dial()
			p.Send("POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n" + announced +
				"\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
			request := <-got
			require.True(t, strings.HasSuffix(request, "2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"), request)
			require.Equal(t, announced != "", strings.Contains(request, "\r\nTrailer: X-Sum\r\n"), request)
			response, body := p.Response("POST")
			require.Equal(t, "cd", body)
			require.Equal(t, http.Header{"X-Sum": {"2"}}, response.Trailer)
			require.NotContains(t, response.Header, "Authorization")
		})
	}
}

// RFC 9112, 9.5: an answer may come before the upload has ended. It is
// delivered, the upload stops, and late bytes never become a request.
func TestEarlyAnswerEndsTheUpload(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"))})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nstart")
	response, body := p.Response("POST")
	require.Equal(t, 413, response.StatusCode)
	require.True(t, response.Close)
	require.Equal(t, "no", body)
	p.Send(strings.Repeat("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 10))
	rest, err := p.Rest()
	require.NoError(t, err, "a reset could destroy the answer")
	require.Empty(t, rest)
	r.failed(hop.None, 413, false)
	require.Empty(t, r.records)
}

// A backend may answer while it is still reading.
func TestAnswerAndUploadCanOverlap(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for p.Take(1) == "1" {
			p.Send("1" + p.Take(len("\r\na\r\n")))
		}
		p.Send("0\r\n\r\n")
	})})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.Contains(t, p.Head(), "200 OK")
	for range 3 {
		p.Send("1\r\na\r\n")
		require.Equal(t, "1\r\na\r\n", p.Take(len("1\r\na\r\n")))
	}
	p.Send("0\r\n\r\n")
	require.Equal(t, "0\r\n\r\n", p.Take(len("0\r\n\r\n")))
	r.failed(hop.None, 200, false)
}

// 1xx responses of the backend and the proxy's own 100 Continue never mix.
func TestEarlyHintsDuringExpectContinue(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		for p.Head() != "" {
			for range 5 {
				p.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			}
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		}
	})}, func(c *config.Config) { c.Timeouts.ExpectContinue = 50 * time.Microsecond })
	p := r.dial()
	for range 200 {
		p.Send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
		continues := 0
		for head := p.Head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n"); head = p.Head() {
			if head == "HTTP/1.1 100 Continue\r\n\r\n" {
				continues++
			} else {
				require.Equal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", head)
			}
		}
		require.LessOrEqual(t, continues, 1)
		require.Equal(t, "body", p.Take(4))
	}
}
