package netconn

import (
	"io"
	"time"
)

// Bounds on waiting for a peer that is still sending what nobody will read.
const (
	lingerTime  = time.Second
	lingerBytes = 4 << 20
)

// StopReading says that the rest of what the peer sends is not wanted. Reads
// report io.EOF from now on, so late bytes of a refused body never become a
// request, and Close lingers.
func (c *Conn) StopReading() { c.end.Or(deaf) }

// Reset makes Close send a reset instead of a FIN, also after StopReading, so
// that the peer cannot take what it has got for all there is.
func (c *Conn) Reset() {
	c.end.Or(reset)
	if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // fails only on a closed connection
	}
}

// NotifyClose has f called when this side closes the connection, instead of
// the f before; nil ends that.
func (c *Conn) NotifyClose(f *func()) { c.watch.Store(f) }

// ForgetClose is NotifyClose(nil), unless it is no longer f that is called.
func (c *Conn) ForgetClose(f *func()) { c.watch.CompareAndSwap(f, nil) }

// Close closes the connection. After StopReading it first sends a FIN and
// reads on for a moment: closing with unread bytes would make the kernel send
// a reset, and that may reach the peer before it has read the response
// (RFC 9112, 9.6).
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return c.Conn.Close() // a second call ends the lingering of the first
	}
	if c.onClose != nil {
		defer c.onClose(c)
	}
	if f := c.watch.Swap(nil); f != nil {
		defer (*f)()
	}
	if c.end.Load() == deaf && c.CloseWrite() == nil {
		c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}
