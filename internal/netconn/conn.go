// Package netconn wraps a TCP connection with what the proxy asks of one on
// either side: a write waits only for a peer that takes something, and the
// end of a connection does not destroy what was sent before it.
package netconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// epoch is where all connections count from: the clock on the wall may be set.
var epoch = time.Now()

// Conn is a net.Conn whose writes must make progress. It may be used by
// several goroutines like any other.
type Conn struct {
	net.Conn
	stall    time.Duration
	armed    atomic.Int64 // the write deadline in force, counted from epoch; 0: none yet
	received atomic.Int64
	onClose  func(*Conn)
	watch    atomic.Pointer[func()] // see NotifyClose
	grace    time.Duration          // see ReadFirst
	pinned   atomic.Bool            // somebody else's write deadline is in force
	end      atomic.Uint32          // deaf, reset
	busy     atomic.Bool
	closed   atomic.Bool
}

// What is said of the end. One word for both: there are many connections.
const (
	deaf  = 1 << iota // what the peer sends is not wanted any more
	reset             // the peer is not to take it for a good one
)

// New wraps inner. A write fails with os.ErrDeadlineExceeded when the peer has
// taken nothing for stall, or at most half as long again. onClose, if not nil,
// is told once, when the connection is closed.
func New(inner net.Conn, stall time.Duration, onClose func(*Conn)) *Conn {
	return &Conn{Conn: inner, stall: stall, onClose: onClose}
}

// looks is how often progress is looked for within a stall. The kernel tells
// only at a deadline how much of a write was taken.
const looks = 4

// Write writes p. Part of it taken counts as progress: a slow peer is served
// as long as it goes on reading.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.arm()
	for idle := 0; ; {
		m, err := c.Conn.Write(p[n:])
		n += m
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, c.letReadFirst(err)
		}
		if idle++; m > 0 {
			idle = 0
		}
		if idle == looks || c.pinned.Load() {
			return n, err
		}
		c.armFor(c.stall / looks)
	}
}

// arm moves the write deadline before a write, but not before every one: that
// costs several percent of a small exchange.
func (c *Conn) arm() {
	if armed := c.armed.Load(); armed == 0 || time.Duration(armed)-time.Since(epoch) < c.stall/looks {
		c.armFor(2 * c.stall / looks)
	}
}

func (c *Conn) armFor(d time.Duration) {
	if c.pinned.Load() {
		return
	}
	now := time.Now()
	c.Conn.SetWriteDeadline(now.Add(d)) // fails only on a closed connection; so will the write
	c.armed.Store(int64(now.Sub(epoch) + d))
}

// SetWriteDeadline puts t in place of the bound on stalls, until it is called
// with the zero time, which brings that back.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !c.pinned.Load() {
		return nil // net/http does this after every response
	}
	c.pinned.Store(!t.IsZero())
	c.armed.Store(0)
	if t.IsZero() {
		c.arm() // at once, for a write that is under way
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Read reads, and reports io.EOF after StopReading.
func (c *Conn) Read(p []byte) (int, error) {
	if c.end.Load()&deaf != 0 {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// ReadFirst makes a write that fails because the peer has closed wait for d
// before it says so. A server may answer and close while a request is still
// being sent (RFC 9112, 9.5); whoever reads should get that answer first. It is
// to be called before the connection is used.
func (c *Conn) ReadFirst(d time.Duration) { c.grace = d }

func (c *Conn) letReadFirst(err error) error {
	if err != nil && c.grace > 0 && !errors.Is(err, net.ErrClosed) {
		time.Sleep(c.grace)
	}
	return err
}

// SetBusy says whether a request or a tunnel is under way on the connection.
func (c *Conn) SetBusy(busy bool) { c.busy.Store(busy) }

// Busy reports what SetBusy said.
func (c *Conn) Busy() bool { return c.busy.Load() }

// Received is how many bytes have been read.
func (c *Conn) Received() int64 { return c.received.Load() }

// CloseWrite sends a FIN and leaves the other direction open.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

type contextKey struct{}

// NewContext returns a context that carries the connection.
func NewContext(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the connection that ctx carries, or nil.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}
