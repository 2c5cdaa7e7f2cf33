package proxy_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/proxy"
	"go-proxy/internal/server"
	"go-proxy/internal/testkit"
)

// rig is the net/http plane over real connections, with backends that are up
// until traffic says otherwise.
type rig struct {
	t       testing.TB
	addr    string
	proxy   *proxy.Proxy
	pool    *pool.ServerPool
	changes chan pool.Change
	records chan exchange.Record
	log     *logBuffer
}

// newRig starts a proxy for the backends, URLs or addresses. Every record must
// be asked for by the test.
func newRig(t testing.TB, backends []string, settings ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{t: t, changes: make(chan pool.Change, 1000), records: make(chan exchange.Record, 10000), log: new(logBuffer)}
	c := testConfig(t, backends)
	for _, set := range settings {
		set(c)
	}
	judging := pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: c.Health.PassiveFall}}
	r.pool = pool.New(c.Backends, judging, func(c pool.Change) { r.changes <- c })
	for _, b := range r.pool.Backends() {
		r.pool.ObserveProbe(b, nil)
		<-r.changes
	}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.proxy = proxy.New(r.pool, c, dial, r.observe, log)
	r.serve(c, log)
	return r
}

func testConfig(t testing.TB, backends []string) *config.Config {
	t.Helper()
	for i, b := range backends {
		if !strings.Contains(b, "://") {
			backends[i] = "http://" + b
		}
	}
	c, err := config.Proxy([]string{"-backends", strings.Join(backends, ","), "-listen", "127.0.0.1:0"}, func(string) string { return "" })
	require.NoError(t, err)
	return c
}

func dial(ctx context.Context, b *pool.Backend) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", b.Address())
}

func (r *rig) serve(c *config.Config, log *slog.Logger) {
	listener, err := server.Listen(c.Listen, c.Timeouts.WriteStall, time.Second, log)
	require.NoError(r.t, err)
	r.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_, err := listener.Run(ctx, ctx, server.NewHTTP(r.proxy, c.Timeouts, c.Limits, log))
		if err != nil {
			r.t.Error("serve:", err)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		running.Wait()
		r.proxy.Close()
		for _, b := range r.pool.Backends() {
			require.Zero(r.t, b.InFlight(), "leases left out")
		}
		if r.t.Failed() {
			r.t.Log(r.log.String())
		}
	})
}

func (r *rig) observe(record *exchange.Record) {
	kept := *record
	kept.Attempts = append([]exchange.Attempt(nil), record.Attempts...)
	r.records <- kept
}

// record is the next record; there must be one.
func (r *rig) record() exchange.Record {
	r.t.Helper()
	select {
	case record := <-r.records:
		return record
	case <-time.After(testkit.Patience):
		require.FailNow(r.t, "no record")
		panic("unreachable")
	}
}

// failed requires the next record to have the cause and status, and the
// backend to have been blamed or not.
func (r *rig) failed(cause hop.Cause, status int, blamed bool) {
	r.t.Helper()
	record := r.record()
	require.Equal(r.t, cause.String(), record.Cause.String())
	require.Equal(r.t, status, record.Status)
	down := 0
	for _, b := range r.pool.Backends() {
		if b.State() == pool.Down {
			down++
		}
	}
	require.Equal(r.t, blamed, down > 0, "backend blamed")
}

func (r *rig) url(path string) string { return "http://" + r.addr + path }

// get asks for the path and reads the whole answer.
func (r *rig) get(path string) (*http.Response, string) {
	r.t.Helper()
	return r.do(httptest.NewRequest("GET", r.url(path), nil))
}

// do sends the request over a connection of its own.
func (r *rig) do(request *http.Request) (*http.Response, string) {
	r.t.Helper()
	request.RequestURI = ""
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	ctx, cancel := context.WithTimeout(request.Context(), testkit.Patience)
	defer cancel()
	response, err := transport.RoundTrip(request.WithContext(ctx))
	require.NoError(r.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response, string(body)
}

// dial connects as a raw client.
func (r *rig) dial() *testkit.Peer { return testkit.Dial(r.t, r.addr) }

// raw sends the text and returns everything that comes back until the proxy
// closes the connection.
func (r *rig) raw(text string) string {
	r.t.Helper()
	p := r.dial()
	p.Send(text)
	rest, err := p.Rest()
	require.NoError(r.t, err, "got so far: %q", rest)
	return rest
}

// backend starts an httptest server.
func backend(t testing.TB, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

var discard = log.New(io.Discard, "", 0)

// logBuffer is what the proxy logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
