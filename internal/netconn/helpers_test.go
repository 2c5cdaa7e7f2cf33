package netconn_test

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
)

const stall = time.Minute

// inner is one end of an in-memory connection that notes what is asked of it.
// Unlike one in a kernel it has no buffer: what is written was taken.
type inner struct {
	net.Conn

	mu        sync.Mutex
	calls     []string        // but for those of Read and Write
	deadlines []time.Duration // of writes, counted from the call
}

func (i *inner) note(call string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls = append(i.calls, call)
}

// noted is what was asked since it was last called.
func (i *inner) noted() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	calls := i.calls
	i.calls = nil
	return calls
}

func (i *inner) SetWriteDeadline(t time.Time) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deadlines = append(i.deadlines, time.Until(t))
	return i.Conn.SetWriteDeadline(t)
}

// armed is the write deadlines set since it was last called.
func (i *inner) armed() []time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	deadlines := i.deadlines
	i.deadlines = nil
	return deadlines
}

func (i *inner) SetReadDeadline(t time.Time) error {
	i.note("SetReadDeadline")
	return i.Conn.SetReadDeadline(t)
}

func (i *inner) Close() error {
	i.note("Close")
	return i.Conn.Close()
}

// half is an inner that can close one direction.
type half struct {
	*inner
	err error // of CloseWrite
}

func (h half) CloseWrite() error {
	h.note("CloseWrite")
	return h.err
}

// wrapped is a Conn, what it wraps, and the peer's end.
type wrapped struct {
	*netconn.Conn
	inner *inner
	peer  net.Conn

	mu     sync.Mutex
	closed []*netconn.Conn
}

// told is what onClose was told.
func (w *wrapped) told() []*netconn.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.closed)
}

// wrap runs f in a bubble over a Conn that can close one direction.
func wrap(t *testing.T, f func(*testing.T, *wrapped)) {
	t.Helper()
	wrapInner(t, func(i *inner) net.Conn { return half{inner: i} }, f)
}

func wrapInner(t *testing.T, as func(*inner) net.Conn, f func(*testing.T, *wrapped)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		w := &wrapped{inner: &inner{Conn: ours}, peer: theirs}
		w.Conn = netconn.New(as(w.inner), stall, func(c *netconn.Conn) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.closed = append(w.closed, c)
		})
		f(t, w)
		ours.Close()
		theirs.Close()
	})
}

// takes has the peer take n bytes, pausing before each.
func (w *wrapped) takes(n int, pause time.Duration) {
	for b := make([]byte, 1); n > 0; n-- {
		time.Sleep(pause)
		if _, err := w.peer.Read(b); err != nil {
			return
		}
	}
}

// exchange has one byte written, which the peer takes at once.
func (w *wrapped) exchange(t *testing.T) {
	t.Helper()
	go w.takes(1, 0)
	n, err := w.Write([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

var errBroken = errors.New("broken")

// tcp is the two ends of a real connection, the first of them wrapped.
func tcp(t *testing.T) (*netconn.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	// No test waits so long unless something is broken.
	for _, c := range []net.Conn{client, server} {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	}
	return netconn.New(server, stall, nil), client.(*net.TCPConn)
}
