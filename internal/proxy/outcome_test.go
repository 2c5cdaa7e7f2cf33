package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// What happens within ServeHTTP, seen without a connection to the client.

// watched is an answer that says when its head is sent.
type watched struct {
	*httptest.ResponseRecorder
	head func()
}

func (w watched) WriteHeader(status int) {
	w.head()
	w.ResponseRecorder.WriteHeader(status)
}

func TestBackendIsOutBeforeTheClientIsAnswered(t *testing.T) {
	r := newRig(t, []string{"127.0.0.1:1"})
	answered := false
	r.proxy.ServeHTTP(watched{httptest.NewRecorder(), func() {
		answered = true
		require.Equal(t, pool.Down, r.pool.Backends()[0].State())
	}}, httptest.NewRequest("GET", "/", nil))
	require.True(t, answered)
}

// It may reach the client before its connection is cut.
func TestRequestCutByAShutdownIsAnsweredAsSuch(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, hang)})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		r.await("picked")
		cancel(&hop.Failure{Cause: hop.Shutdown})
	}()
	w := httptest.NewRecorder()
	r.proxy.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	require.Equal(t, "503 Service Unavailable: shutdown\n", w.Body.String())
	require.Equal(t, "10", w.Header().Get("Retry-After"))
	r.failed(hop.Shutdown, 503, false)
	r.nobodyBlamed()
}

// net/http is told of it, and so is the record; no backend is to blame.
func TestPanicOfOurOwnIsInternal(t *testing.T) {
	r := newRig(t, []string{backend(t, func(http.ResponseWriter, *http.Request) {})})
	require.PanicsWithValue(t, "oops", func() {
		r.proxy.ServeHTTP(watched{httptest.NewRecorder(), func() { panic("oops") }}, httptest.NewRequest("GET", "/", nil))
	})
	require.Equal(t, hop.Internal, r.record().Cause)
	r.nobodyBlamed()
}

func TestRecordSaysWhenAndHowLong(t *testing.T) {
	const slow = 20 * time.Millisecond
	r := newRig(t, []string{backend(t, func(http.ResponseWriter, *http.Request) { time.Sleep(slow) })})
	before := time.Now()
	r.get("/")
	record := r.record()
	require.WithinRange(t, record.Start, before, time.Now().Add(-slow))
	require.GreaterOrEqual(t, record.Duration, slow)
	require.LessOrEqual(t, record.Duration, time.Since(before))
}

// The next probe is the next chance, so nobody is told to come before.
func TestRetryAfterIsTheHealthIntervalRoundedUp(t *testing.T) {
	for interval, want := range map[time.Duration]string{time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2"} {
		r := newRig(t, []string{"127.0.0.1:1"}, func(c *config.Config) { c.Health.Interval = interval })
		r.get("/")
		response, _ := r.get("/")
		require.Equal(t, 503, response.StatusCode)
		require.Equal(t, want, response.Header.Get("Retry-After"))
	}
}

func TestUnusedConnectionToABackendEndsInTime(t *testing.T) {
	addr, ended := ended(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	r := newRig(t, []string{addr}, func(c *config.Config) { c.Timeouts.BackendIdle = 20 * time.Millisecond })
	r.get("/")
	select {
	case <-ended:
	case <-time.After(testkit.Patience / 2):
		require.FailNow(t, "left open")
	}
}

func TestUnusedConnectionsToABackendCanBeClosed(t *testing.T) {
	for name, closes := range map[string]func(*rig){
		"to one": func(r *rig) { r.proxy.DropIdle(r.pool.Backends()[0]) },
		"to all": func(r *rig) { r.proxy.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan bool, 1)
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				p.AwaitEnd()
				ended <- true
			})})
			r.get("/")
			r.record()
			require.Eventually(t, func() bool { // once the connection is unused
				closes(r)
				return len(ended) == 1
			}, testkit.Patience, time.Millisecond)
		})
	}
}

// gone is a client that has left when it is sent something.
type gone struct{ *httptest.ResponseRecorder }

func (gone) FlushError() error { return net.ErrClosed }

// refusing is a client that cannot be sent a body.
type refusing struct {
	*httptest.ResponseRecorder
	why func() error
}

func (r refusing) Write([]byte) (int, error) { return 0, r.why() }

func TestClientThatDoesNotTakeItsAnswerIsToBlame(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "part")
		w.(http.Flusher).Flush()
	})
	t.Run("gone before the end", func(t *testing.T) {
		r := newRig(t, []string{addr})
		r.proxy.ServeHTTP(gone{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
		r.failed(hop.ClientGone, 200, false)
	})
	t.Run("too slow", func(t *testing.T) {
		addr, gone := ended(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		r := newRig(t, []string{addr})
		tooSlow := func() error { return os.ErrDeadlineExceeded }
		r.proxy.ServeHTTP(refusing{httptest.NewRecorder(), tooSlow}, httptest.NewRequest("GET", "/", nil))
		r.failed(hop.ClientWriteTimeout, 200, false)
		select {
		case <-gone:
		case <-time.After(testkit.Patience / 2):
			require.FailNow(t, "the backend is not let go")
		}
	})
}

func TestClientThatIsCutOffInItsAnswerHasNotLeft(t *testing.T) {
	addr, _ := ended(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
	r := newRig(t, []string{addr})
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := func() error {
		cancel(&hop.Failure{Cause: hop.Shutdown})
		return net.ErrClosed
	}
	r.proxy.ServeHTTP(refusing{httptest.NewRecorder(), cut}, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	r.failed(hop.Shutdown, 200, false)
	r.nobodyBlamed()
}

// Where net/http cannot tell, nothing is lost but the port.
func TestClientWithoutAPortIsForwarded(t *testing.T) {
	got := make(chan string, 1)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) { got <- p.Head() })})
	request := httptest.NewRequest("GET", "/", nil)
	request.RemoteAddr = "192.0.2.7"
	r.proxy.ServeHTTP(httptest.NewRecorder(), request)
	require.Contains(t, <-got, "\r\nX-Forwarded-For: 192.0.2.7\r\n")
}

func TestClientUnderTLSIsForwardedAsSuch(t *testing.T) {
	got := make(chan string, 1)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) { got <- p.Head() })})
	request := httptest.NewRequest("GET", "https://x/", nil)
	request.RequestURI = "/"
	r.proxy.ServeHTTP(httptest.NewRecorder(), request)
	require.Contains(t, <-got, "\r\nX-Forwarded-Proto: https\r\n")
}

func TestTrustedProxiesAreKnownByAnyFormOfTheirAddress(t *testing.T) {
	for client, prefix := range map[string]string{
		"[::ffff:192.0.2.7]:1": "192.0.2.0/24",
		"[fe80::1%eth0]:1":     "fe80::/10",
		"192.0.2.7:1":          "192.0.2.7/32",
	} {
		got := make(chan string, 1)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) { got <- p.Head() })}, trust(prefix))
		request := httptest.NewRequest("GET", "/", nil)
		request.RemoteAddr = client
		request.Header.Set("X-Forwarded-Proto", "https")
		r.proxy.ServeHTTP(httptest.NewRecorder(), request)
		require.Contains(t, <-got, "\r\nX-Forwarded-Proto: https\r\n", client)
	}
}
