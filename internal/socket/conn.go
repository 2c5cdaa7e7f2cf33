//go:build linux && !386

package socket

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is an accepted connection. Its methods are those of net.TCPConn, as far
// as there are any, and so are their errors, but for that of a deadline, which is
// os.ErrDeadlineExceeded itself. Nobody but Close closes it.
type Conn struct {
	fd    int
	users atomic.Int32 // who have fd in their hands; from closing on, once it is to be closed

	stage     atomic.Int32 // unwatched, fresh, begun
	newcomers *newcomers
	start     func() // of one that is fresh

	mu     sync.Mutex // held to make a waiter
	waiter atomic.Pointer[waiter]

	peer net.TCPAddr
	ip   [net.IPv6len]byte // of peer
}

// waiter is Go's poller's part of a connection. It owns the socket.
type waiter struct {
	*os.File
	raw syscall.RawConn
}

// Where users are counted from once the socket is to be closed, and once it is:
// another number, so that whoever comes then does not close it again.
const (
	closing = -1 << 29
	closed  = -1 << 30
)

// Begin has start called once something has come, or the connection has ended, or
// it has got a deadline or is closed. Whoever sees to that calls it, and is not to
// be kept. It is to be asked for once, before anything is read.
func (c *Conn) Begin(start func()) {
	if !c.newcomers.add(c, start) {
		start()
	}
}

func (c *Conn) beginNow() {
	if c.stage.Load() == fresh {
		c.newcomers.begin(c)
	}
}

// acquire keeps the socket open until release.
func (c *Conn) acquire() error {
	if c.users.Add(1) < 0 {
		c.release()
		return net.ErrClosed
	}
	return nil
}

func (c *Conn) release() {
	if c.users.Add(-1) == closing && c.users.CompareAndSwap(closing, closed) {
		c.finish()
	}
}

// finish closes the socket, which nobody but those who wait uses any more.
func (c *Conn) finish() {
	if w := c.waiter.Load(); w != nil {
		w.Close() // and ends their waiting
		return
	}
	sysClose(c.fd)
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if err := c.acquire(); err != nil {
		return c.failed("close", err)
	}
	defer c.release()
	for {
		n := c.users.Load()
		if n < 0 {
			return c.failed("close", net.ErrClosed)
		}
		if c.users.CompareAndSwap(n, n+closing) {
			c.beginNow()
			return nil
		}
	}
}

// wait returns the waiter, from now on.
func (c *Conn) wait() (*waiter, error) {
	if w := c.waiter.Load(); w != nil {
		return w, nil
	}
	if err := c.acquire(); err != nil {
		return nil, err
	}
	defer c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiter.Load(); w != nil {
		return w, nil
	}
	c.newcomers.forget(c)
	f := os.NewFile(uintptr(c.fd), "socket")
	raw, _ := f.SyscallConn() // fails only on no file
	w := &waiter{f, raw}
	c.waiter.Store(w)
	return w, nil
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	w, err := c.wait()
	if err == nil {
		n, err = w.Read(p)
	}
	return n, c.failed("read", err)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	w, err := c.wait()
	if err == nil {
		n, err = w.Write(p)
	}
	return n, c.failed("write", err)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.set((*os.File).SetDeadline, t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.set((*os.File).SetReadDeadline, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.set((*os.File).SetWriteDeadline, t) }

func (c *Conn) set(deadline func(*os.File, time.Time) error, t time.Time) error {
	w, err := c.wait()
	if err == nil {
		err = deadline(w.File, t)
		c.beginNow()
	}
	return c.failed("set", err)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return &c.peer }

func (c *Conn) failed(op string, err error) error {
	return failed(op, &c.peer, c.users.Load() < 0, err)
}
