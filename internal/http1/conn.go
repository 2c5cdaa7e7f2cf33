package http1

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
	"go-proxy/internal/socket"
)

// conn is a connection to a client or to a backend. One goroutine at a time
// reads it and one writes it.
type conn struct {
	net.Conn
	outer   *netconn.Conn   // a client's, which is closed through it
	socket  syscall.RawConn // nil: reading and writing is up to Conn
	beneath syscall.RawConn // the socket, also of a connection with TLS; nil: there is none to look at
	sweeper *sweeper
	class   *class // of in
	in      *buffer

	reading, writing wait
	peer             atomic.Pointer[conn] // a client's: the backend that works for it
	due              due                  // the last tick for a client's exchange, or for a backend's response head; 0: none

	upstream *upstream     // a backend's
	idle     uint64        // since when, in ticks
	age      int32         // of the backend's address
	stopped  atomic.Uint32 // a hop.Cause, for good
	reused   bool          // it has carried requests before
	private  bool          // a client has logged in on it
	full     bool          // the last read filled the buffer, or would have
	took     bool          // something of the last writes was taken
	reset    bool          // a write was told so; a read may now see but an end
	taking   waitFor       // of the write under way

	// For the raw operations, which tell nothing by themselves.
	readSome, writeSome func(fd uintptr) (done bool)
	askSome             func(fd uintptr) (done bool) // nil until it is used
	readErr, writeErr   error
	rest                []byte // to be written
	pipe                *pipe  // what was read into it, instead of into in
	piping              int    // how much the read under way may put into one; 0: nothing
	pouring             *pipe  // to be written from, instead of rest
}

// open begins with inner. A conn has its place in a client, or among an
// upstream's, and is not copied from there.
func (c *conn) open(inner net.Conn, s *sweeper, class *class) {
	c.Conn, c.sweeper, c.class = inner, s, class
	if c.socket = rawOf(inner); c.socket != nil {
		c.readSome, c.writeSome = c.rawRead, c.rawWrite
	}
	c.beneath = c.socket
	if over, ok := inner.(*tls.Conn); ok {
		c.beneath = rawOf(over.NetConn())
	}
	s.add(c)
}

func rawOf(inner net.Conn) syscall.RawConn {
	s, ok := inner.(syscall.Conn)
	if !ok || !socket.Raw {
		return nil
	}
	raw, _ := s.SyscallConn() // fails only on a closed connection
	return raw
}

// fill waits for bytes and adds them to c.in. Views into that do not hold any
// more.
func (c *conn) fill() error {
	if c.stopped.Load() != 0 {
		return os.ErrDeadlineExceeded
	}
	if c.socket != nil {
		if err := c.socket.Read(c.readSome); err != nil {
			return err
		}
		return c.readErr
	}
	c.makeRoom()
	n, err := c.Conn.Read(c.in.free())
	c.in.w += n
	if n > 0 {
		return nil
	}
	return err
}

// readSection waits for a whole section of lines and consumes it. If that does
// not come, it returns what has.
func (c *conn) readSection(most int) (section []byte, err error) {
	for resume := 0; ; {
		if resume == 0 && c.upstream == nil { // it is a client's
			c.in.consume(emptyLines(c.in.data()))
		}
		section = c.in.data()
		var end int
		if end, resume = sectionEnd(section, resume); end > most || end < 0 && len(section) > most {
			return section, longHead
		}
		if end >= 0 {
			c.in.consume(end)
			return section[:end], nil
		}
		if err := c.fill(); err != nil {
			return c.in.data(), err
		}
	}
}

// rawRead is false if there is nothing to read yet. The buffer is given back
// meanwhile if there is nothing in it.
func (c *conn) rawRead(fd uintptr) bool {
	n, err := c.readOnce(fd)
	switch {
	case err == syscall.EAGAIN:
		c.giveBack()
		return false
	case n > 0:
		err = nil
	case err == nil:
		err = io.EOF
	}
	c.readErr = err
	return true
}

func (c *conn) readOnce(fd uintptr) (int, error) {
	if c.piping > 0 {
		if n, err := c.readPipe(fd); n > 0 || err != nil && err != syscall.EAGAIN {
			return n, err
		}
	}
	c.makeRoom()
	read := socket.Read
	if c.full {
		read = socket.ReadMuch
	}
	n, err := read(fd, c.in.free())
	if n > 0 {
		c.full = n == len(c.in.free())
		c.in.w += n
	}
	return n, err
}

func (c *conn) makeRoom() {
	if c.in == nil {
		c.in = c.class.lend()
		return
	}
	c.in = c.in.roomy()
}

// giveBack returns the buffer if there is nothing in it.
func (c *conn) giveBack() {
	if c.in != nil && len(c.in.data()) == 0 {
		c.in.release()
		c.in = nil
	}
}

// enlarge takes a larger buffer in place of an empty one, if there is one left.
func (c *conn) enlarge() {
	if c.in == nil || len(c.in.data()) > 0 || c.in.class == large {
		return
	}
	if b := large.lend(); b != nil {
		c.in.release()
		c.in = b
	}
}

func isEnd(err error) bool { return err == io.EOF }

// read waits for bytes. The cause is why the wait was ended by us; err, with
// None, is the peer's doing.
func (c *conn) read(f waitFor) (hop.Cause, error) {
	c.reading.begin(f, c.sweeper.now.Load())
	err := c.fill()
	return c.endRead(), err
}

// endRead ends a wait that was begun for longer than one read.
func (c *conn) endRead() hop.Cause { return cmp.Or(c.reading.end(), hop.Cause(c.stopped.Load())) }

// write writes all of p. What of it is taken counts as progress.
func (c *conn) write(f waitFor, p []byte) (hop.Cause, error) {
	c.writing.begin(f, c.sweeper.now.Load())
	c.rest, c.taking = p, f
	err := c.writeAll()
	c.rest = nil
	c.reset = c.reset || errors.Is(err, syscall.ECONNRESET)
	cause := c.writing.end()
	if err != nil {
		return cmp.Or(cause, hop.Cause(c.stopped.Load())), err
	}
	if cause != hop.None {
		c.stop(cause) // it was taken just in time, but the deadline that is over stays
	}
	return hop.None, nil
}

// writePiece is how much is written at a time where progress does not show
// otherwise.
const writePiece = 16 << 10

func (c *conn) writeAll() error {
	if c.socket != nil {
		if err := c.socket.Write(c.writeSome); err != nil {
			return err
		}
		return c.writeErr
	}
	for len(c.rest) > 0 {
		n, err := c.Conn.Write(c.rest[:min(len(c.rest), writePiece)])
		if c.wrote(n); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) rawWrite(fd uintptr) bool {
	for len(c.rest) > 0 || c.pouring.size() > 0 {
		n, err := c.writeOnce(fd)
		if err != nil {
			c.writeErr = err
			return err != syscall.EAGAIN
		}
		c.wrote(n)
	}
	c.writeErr = nil
	return true
}

func (c *conn) writeOnce(fd uintptr) (int, error) {
	if c.pouring != nil {
		return c.pouring.empty(fd)
	}
	return socket.Write(fd, c.rest)
}

func (c *conn) wrote(n int) {
	if c.pouring == nil {
		c.rest = c.rest[n:]
	}
	if n > 0 {
		c.took = true
		c.writing.renew(c.taking, c.taking, c.sweeper.now.Load())
	}
}

// stop ends all that waits for the connection, now and later.
func (c *conn) stop(cause hop.Cause) {
	c.stopped.CompareAndSwap(0, uint32(cause))
	c.Conn.SetDeadline(longAgo) // fails only on a closed connection
}

// quiet reports whether nothing has come over a connection that nobody asked
// anything: only then may it be used again (RFC 9112, 9.2 and 11.1). TLS may have
// read more than it was asked for.
func (c *conn) quiet() bool {
	if quiet := c.looksQuiet(); !quiet || c.socket != nil {
		return quiet
	}
	var b [1]byte
	c.Conn.SetReadDeadline(longAgo)
	_, err := c.Conn.Read(b[:])
	c.Conn.SetReadDeadline(time.Time{})
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// looksQuiet is quiet for a connection that another goroutine may take
// meanwhile, as far as the socket tells.
func (c *conn) looksQuiet() (quiet bool) {
	if c.beneath == nil {
		return true
	}
	err := c.beneath.Control(func(fd uintptr) { quiet = socket.Quiet(fd) })
	return err == nil && quiet
}

// gone reports whether the client has ended the connection. half says that a
// FIN alone is not the end.
func (c *conn) gone(half bool) bool { return c.socket != nil && peerGone(c.socket, half) }

// closeWrite sends a FIN.
func (c *conn) closeWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails only on a closed connection
	}
}

// shut closes the connection.
func (c *conn) shut() {
	c.sweeper.remove(c)
	c.dropPipe()
	if c.in != nil {
		c.in.release()
		c.in = nil
	}
	if c.outer != nil {
		c.outer.Close()
		return
	}
	c.Conn.Close()
}
