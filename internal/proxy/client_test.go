package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// nobodyBlamed requires all backends to be up, and no line of trouble.
func (r *rig) nobodyBlamed() {
	r.t.Helper()
	require.Empty(r.t, r.changes)
	for _, b := range r.pool.Backends() {
		require.Equal(r.t, pool.Up, b.State())
	}
	require.NotContains(r.t, r.log.String(), "level=WARN")
	require.NotContains(r.t, r.log.String(), "level=ERROR")
}

// ended is a backend that reports when its connection ends, and what it got
// until then.
func ended(t *testing.T, answer string) (addr string, got chan string) {
	addr, _, got = followed(t, answer)
	return addr, got
}

// followed is ended that reports, too, when a request has arrived.
func followed(t *testing.T, answer string) (addr string, arrived chan bool, got chan string) {
	arrived, got = make(chan bool, 10), make(chan string, 10)
	addr = testkit.Script(t, func(p *testkit.Peer) {
		head := p.Head()
		arrived <- true
		p.Send(answer)
		rest, _ := p.Rest()
		got <- head + rest
	})
	return addr, arrived, got
}

func TestClientThatLeaves(t *testing.T) {
	leave := map[string]func(*testkit.Peer){
		"with a FIN":  func(p *testkit.Peer) { p.Close() },
		"with an RST": func(p *testkit.Peer) { p.Reset() },
	}
	for how, leave := range leave {
		t.Run("before the head, "+how, func(t *testing.T) {
			addr, arrived, gone := followed(t, "")
			r := newRig(t, []string{addr})
			p := r.dial()
			p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			<-arrived
			leave(p)
			<-gone
			r.failed(hop.ClientGone, 499, false)
			r.nobodyBlamed()
		})
		t.Run("in the upload, "+how, func(t *testing.T) {
			addr, arrived, gone := followed(t, "")
			r := newRig(t, []string{addr})
			p := r.dial()
			p.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
			<-arrived
			leave(p)
			require.NotContains(t, <-gone, "0\r\n\r\n", "the backend must not take it for complete")
			r.failed(hop.ClientGone, 499, false)
			r.nobodyBlamed()
		})
		t.Run("in the download, "+how, func(t *testing.T) {
			addr, gone := ended(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			r := newRig(t, []string{addr})
			p := r.dial()
			p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			p.Head()
			p.Take(4)
			leave(p)
			<-gone
			r.failed(hop.ClientGone, 200, false)
			r.nobodyBlamed()
		})
	}
}

// A client that sends a FIN counts as gone: 499 is sent to nobody.
func TestClientThatSendsAFINIsCutOff(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, hang)})
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	p.CloseWrite()
	rest, err := p.Rest()
	require.NoError(t, err)
	require.Empty(t, rest)
	r.failed(hop.ClientGone, 499, false)
}

// await waits until the log holds the text.
func (r *rig) await(text string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return strings.Contains(r.log.String(), text) }, testkit.Patience, time.Millisecond)
}

func TestClientThatIsTooSlow(t *testing.T) {
	addr, got := ended(t, "")
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.ClientBody = 50 * time.Millisecond })
	answer := r.raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	require.True(t, strings.HasPrefix(answer, "HTTP/1.1 408 "), answer)
	require.Contains(t, answer, "\r\nConnection: close\r\n")
	require.True(t, strings.HasSuffix(<-got, "\r\n\r\nhalf"))
	r.failed(hop.ClientTimeout, 408, false)
	r.nobodyBlamed()
}

// The deadline moves with progress: an upload may take many times its length.
func TestSlowUploadThatMovesLives(t *testing.T) {
	const pieces, timeout = 9, 500 * time.Millisecond
	addr := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", pieces, p.Take(pieces))
	})
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.ClientBody = timeout })
	p := r.dial()
	p.Sendf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", pieces)
	start := time.Now()
	for range pieces {
		time.Sleep(timeout / 4) // the slowness is the subject
		p.Send("x")
	}
	require.Greater(t, time.Since(start), 2*timeout)
	response, body := p.Response("POST")
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, strings.Repeat("x", pieces), body)
}

func TestMalformedChunksAreTheClientsFault(t *testing.T) {
	for name, body := range map[string]string{
		"no number":          "zz\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"sign":               "+4\r\nabcd\r\n0\r\n\r\n",
		"prefix":             "0x4\r\nabcd\r\n0\r\n\r\n",
		"underscore":         "1_0\r\n0123456789012345\r\n0\r\n\r\n",
		"empty size":         "\r\nabcd\r\n0\r\n\r\n",
		"too large":          "FFFFFFFFFFFFFFFFF\r\nabcd\r\n0\r\n\r\n",
		"longer than said":   "4\r\nabcdX\r\n0\r\n\r\n",
		"bare LF after size": "4\nabcd\r\n0\r\n\r\n",
		"extension flood":    "4;" + strings.Repeat("x", 64<<10) + "\r\nabcd\r\n0\r\n\r\n",
		"many extensions":    strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 1000) + "0\r\n\r\n",
		"bad trailer":        "4\r\nabcd\r\n0\r\nno colon\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			addr, got := ended(t, "")
			r := newRig(t, []string{addr})
			answer := r.raw("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
			require.True(t, strings.HasPrefix(answer, "HTTP/1.1 400 "), answer)
			require.Equal(t, 1, strings.Count(answer, "HTTP/1.1 "), answer)
			require.True(t, strings.HasSuffix(answer, ": bad_request\n"), answer)
			require.NotContains(t, <-got, "0\r\n\r\n", "the backend must not take it for complete")
			r.failed(hop.BadRequest, 400, false)
			r.nobodyBlamed()
		})
	}
}

// Trailers are limited like a head.
func TestEndlessTrailersAreRefused(t *testing.T) {
	addr, _ := ended(t, "")
	r := newRig(t, []string{addr})
	answer := r.raw("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 10000))
	require.True(t, strings.HasPrefix(answer, "HTTP/1.1 400 "), answer)
	r.failed(hop.BadRequest, 400, false)
	r.nobodyBlamed()
}

// A client that takes nothing of its answer is given up, and the backend is
// let go.
func TestClientThatTakesNothing(t *testing.T) {
	gone := make(chan bool)
	addr := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
		block := strings.Repeat("x", 1<<20)
		for {
			if _, err := fmt.Fprint(p, block); err != nil {
				break
			}
		}
		gone <- true
	})
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.WriteStall = 50 * time.Millisecond })
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-gone
	r.failed(hop.ClientWriteTimeout, 200, false)
	r.nobodyBlamed()
}

// The backend's time runs only while the backend is waited for.
func TestBackendIsNotBlamedForASlowClient(t *testing.T) {
	const size, limit = 32 << 20, 200 * time.Millisecond
	body := strings.Repeat("x", size)
	addr := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		p.Send(body)
	})
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.BackendBody = limit })
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	p.Head()
	time.Sleep(3 * limit) // the slowness is the subject
	require.Equal(t, size, len(p.Take(size)))
	r.failed(hop.None, 200, false)
}

// RFC 9112, 9.3.1: the body is counted in what the request said it is.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	p := r.dial()
	var all strings.Builder
	for i := range 5 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	}
	p.Send(all.String())
	for i := range 5 {
		_, body := p.Response("GET")
		require.True(t, strings.HasPrefix(body, fmt.Sprintf("GET /%d ", i)), body)
	}
}

// A backend that takes nothing of an upload is given up, too.
func TestBackendThatTakesNothing(t *testing.T) {
	addr := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		<-t.Context().Done()
	})
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.WriteStall = 50 * time.Millisecond })
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	go func() {
		for block := strings.Repeat("x", 1<<20); ; {
			if _, err := fmt.Fprint(p, block); err != nil {
				return
			}
		}
	}()
	response, _ := p.Response("POST")
	require.Equal(t, 504, response.StatusCode)
	r.failed(hop.ResponseTimeout, 504, true)
}

// RFC 9112, 6.1: net/http takes chunks of HTTP/1.0 for no body; what follows
// must not become a request.
func TestChunksOfHTTP10AreNotTheNextRequest(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	got := r.raw("POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, 1, strings.Count(got, "HTTP/1.0 200 OK"), got)
	require.NotContains(t, got, "smuggled")
}

// What HEAD is answered has no body, and the record does not claim one.
func TestAnswerToHeadHasNoBody(t *testing.T) {
	r := newRig(t, []string{"127.0.0.1:1"})
	p := r.dial()
	p.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Contains(t, p.Head(), "\r\nContent-Length: 30\r\n")
	require.Zero(t, r.record().Sent)
}
