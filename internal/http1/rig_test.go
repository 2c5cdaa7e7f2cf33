package http1

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/server"
	"go-proxy/internal/testkit"
)

// rig is the plane over real connections, with backends that are up until
// traffic says otherwise.
type rig struct {
	t       testing.TB
	addr    string
	plane   *Plane
	pool    *pool.ServerPool
	changes chan pool.Change
	records chan records.Record
	log     *logBuffer
	stop    func()
}

// newRig starts a plane for the backends, URLs or addresses.
func newRig(t testing.TB, backends []string, settings ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{t: t, changes: make(chan pool.Change, 1000), records: make(chan records.Record, 100000), log: new(logBuffer)}
	c := testConfig(t, backends, settings...)
	r.pool = testPool(c, func(c pool.Change) { r.changes <- c })
	for range c.Backends {
		<-r.changes
	}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.plane = New(r.pool, c, dialBackend, r.observe, log)
	r.serve(c)
	return r
}

func testConfig(t testing.TB, backends []string, settings ...func(*config.Config)) *config.Config {
	t.Helper()
	for i, b := range backends {
		if !strings.Contains(b, "://") {
			backends[i] = "http://" + b
		}
	}
	c, err := config.Proxy([]string{"-backends", strings.Join(backends, ","), "-listen", "127.0.0.1:0"}, func(string) string { return "" })
	require.NoError(t, err)
	for _, set := range settings {
		set(c)
	}
	return c
}

func dialBackend(ctx context.Context, b *pool.Backend) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", b.Address())
}

// testPool has all backends up.
func testPool(c *config.Config, changed func(pool.Change)) *pool.ServerPool {
	judging := pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: c.Health.PassiveFall}, Policy: c.Balancing.Policy,
		BackendMaxInFlight: c.Bounds.BackendInFlight, Queue: c.Bounds.Queue}
	p := pool.New(c.Backends, judging, changed)
	for _, b := range p.Backends() {
		p.ObserveProbe(b, nil)
	}
	return p
}

func (r *rig) serve(c *config.Config) {
	listener, err := server.Listen(c.Listen, c.Timeouts.WriteStall, 2*time.Second, nil)
	require.NoError(r.t, err)
	r.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := listener.Run(ctx, ctx, r.plane); err != nil {
			r.t.Error("serve:", err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	r.t.Cleanup(func() {
		r.stop()
		for _, b := range r.pool.Backends() {
			require.Zero(r.t, b.InFlight(), "leases left out")
		}
		require.Empty(r.t, r.plane.sweeper.conns, "connections left open")
		if r.t.Failed() {
			r.t.Log(r.log.String())
		}
	})
}

func (r *rig) observe(record *records.Record) {
	kept := *record
	kept.Method, kept.Path = append([]byte(nil), record.Method...), append([]byte(nil), record.Path...)
	kept.Attempts = append([]records.Attempt(nil), record.Attempts...)
	r.records <- kept
}

// record is the next record; there must be one.
func (r *rig) record() records.Record {
	r.t.Helper()
	select {
	case record := <-r.records:
		return record
	case <-time.After(testkit.Patience):
		require.FailNow(r.t, "no record")
		panic("unreachable")
	}
}

// ended requires the next record to have the cause and status, and the backend
// to have been blamed or not.
func (r *rig) ended(cause hop.Cause, status int, blamed bool) {
	r.t.Helper()
	record := r.record()
	require.Equal(r.t, cause.String(), record.Cause.String())
	require.Equal(r.t, status, record.Status)
	require.Equal(r.t, blamed, len(r.changes) > 0, "backend blamed")
}

// dial connects as a raw client.
func (r *rig) dial() *testkit.Peer { return testkit.Dial(r.t, r.addr) }

// logBuffer is what was logged.
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

// repeating is a backend that answers every request, which has no body, with
// the text, and allocates nothing for it.
func repeating(t testing.TB, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				buf, text := make([]byte, 4096), []byte(answer)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(text); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// asking sends the request n times over one connection, and reads answers of
// the size.
func asking(t testing.TB, addr, request string) func(n int) {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	text, buf := []byte(request), make([]byte, 4096)
	_, err = c.Write(text)
	require.NoError(t, err)
	size, err := c.Read(buf)
	require.NoError(t, err)
	return func(n int) {
		for range n {
			if _, err := c.Write(text); err != nil {
				panic(err)
			}
			if _, err := io.ReadFull(c, buf[:size]); err != nil {
				panic(err)
			}
		}
	}
}
