package proxy

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go-proxy/internal/hop"
)

// Hijack implements http.Hijacker: it turns the client's connection into its
// end of a tunnel, once the backend has switched protocols.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.inner).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t := &tunnel{Conn: conn, writer: w, limit: w.request.settings.Timeouts.TunnelIdle}
	w.tunnel, w.status = t, http.StatusSwitchingProtocols
	if w.clock != nil {
		w.clock.Stop()
	}
	// Bytes that came right behind the request are in net/http's buffer.
	t.early, _ = buffered.Reader.Peek(buffered.Reader.Buffered())
	t.watchdog = time.AfterFunc(t.limit, t.expire)
	return t, buffered, nil
}

// tunnel is the client's end. All bytes of a tunnel, in both directions, pass
// through it.
type tunnel struct {
	net.Conn
	writer   *responseWriter
	early    []byte // received before the tunnel was there
	limit    time.Duration
	watchdog *time.Timer
	received atomic.Int64
	closed   atomic.Bool
}

func (t *tunnel) Read(p []byte) (n int, err error) {
	if len(t.early) > 0 {
		n = copy(p, t.early)
		t.early = t.early[n:]
	} else {
		n, err = t.Conn.Read(p)
	}
	t.received.Add(int64(n))
	t.progress(n)
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.writer.sent.Add(int64(n))
	t.progress(n)
	return n, err
}

func (t *tunnel) progress(n int) {
	if n == 0 {
		return
	}
	t.watchdog.Reset(t.limit)
	if t.closed.Load() { // meanwhile
		t.watchdog.Stop()
	}
}

// expire ends a tunnel that has been silent in both directions.
func (t *tunnel) expire() {
	t.writer.request.attempt.note(hop.TunnelIdle, nil)
	t.Conn.Close()
}

// CloseWrite passes on that the backend has finished sending.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (t *tunnel) Close() error {
	t.closed.Store(true)
	t.watchdog.Stop()
	return t.Conn.Close()
}
