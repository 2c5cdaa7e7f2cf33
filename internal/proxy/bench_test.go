package proxy

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/pool"
)

// BenchmarkExchange is one exchange through the whole handler: no socket, no
// http.Server, no access log. What bench/ measures over loopback has them.
func BenchmarkExchange(b *testing.B) {
	p := newMemoryProxy(b)
	r := newBenchRequest(b)
	w := &discardWriter{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		p.ServeHTTP(w, r)
	}
	require.Equal(b, http.StatusOK, w.status)
}

// exchangeBudget is how many allocations an exchange may cost: it is 64, and 67
// under the race detector, which makes sync.Pool forget things. Of these
// httputil and http.Transport take 53.
const exchangeBudget = 67

func TestExchangeKeepsItsAllocationBudget(t *testing.T) {
	p := newMemoryProxy(t)
	r := newBenchRequest(t)
	w := &discardWriter{header: make(http.Header)}
	allocs := testing.AllocsPerRun(500, func() {
		clear(w.header)
		p.ServeHTTP(w, r)
	})
	require.Equal(t, http.StatusOK, w.status)
	t.Logf("%v allocations", allocs)
	require.LessOrEqual(t, allocs, float64(exchangeBudget))
}

// newMemoryProxy forwards to a backend that is no more than a connection in
// memory.
func newMemoryProxy(tb testing.TB) *Proxy {
	c, err := config.Proxy([]string{"-backends", "http://backend"}, func(string) string { return "" })
	require.NoError(tb, err)
	backends := pool.New(c.Backends, pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}}, nil)
	backends.ObserveProbe(backends.Backends()[0], nil)
	dial := func(context.Context, *pool.Backend) (net.Conn, error) { return newMemoryBackend(), nil }
	p := New(backends, c, dial, func(*exchange.Record) {}, slog.New(slog.DiscardHandler))
	tb.Cleanup(p.Close)
	return p
}

func newBenchRequest(tb testing.TB) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /products?page=2 HTTP/1.1\r\nHost: www.example.com\r\n" +
		"User-Agent: bench/1.0\r\nAccept: text/html, */*;q=0.5\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n\r\n")))
	require.NoError(tb, err)
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

// memoryBackend answers every write, which holds one whole request.
type memoryBackend struct {
	net.Conn // nil: nothing else is called
	requests chan struct{}
	closed   chan struct{}
}

func newMemoryBackend() *memoryBackend {
	return &memoryBackend{requests: make(chan struct{}, 1), closed: make(chan struct{})}
}

const memoryAnswer = "HTTP/1.1 200 OK\r\nServer: memory\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

func (m *memoryBackend) Write(p []byte) (int, error) {
	m.requests <- struct{}{}
	return len(p), nil
}

func (m *memoryBackend) Read(p []byte) (int, error) {
	select {
	case <-m.requests:
		return copy(p, memoryAnswer), nil
	case <-m.closed:
		return 0, net.ErrClosed
	}
}

func (m *memoryBackend) Close() error {
	close(m.closed)
	return nil
}

func (m *memoryBackend) SetWriteDeadline(time.Time) error { return nil }

// discardWriter takes a response and keeps its status.
type discardWriter struct {
	header http.Header
	status int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
