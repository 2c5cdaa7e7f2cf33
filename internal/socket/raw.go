//go:build linux && !386

package socket

import (
	"net"
	"syscall"
)

// SyscallConn implements syscall.Conn. What its Read and Write are given is
// tried before the poller is told of the connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return rawConn{c}, nil }

type rawConn struct{ *Conn }

func (r rawConn) Read(f func(fd uintptr) (done bool)) error {
	return r.failed("raw-read", r.try(f, syscall.RawConn.Read))
}

func (r rawConn) Write(f func(fd uintptr) (done bool)) error {
	return r.failed("raw-write", r.try(f, syscall.RawConn.Write))
}

// try tries f before await does, if nobody has waited yet. Until then it is up to
// the caller that one at a time reads and one writes.
func (c *Conn) try(f func(fd uintptr) (done bool), await func(syscall.RawConn, func(uintptr) bool) error) error {
	if c.waiter.Load() == nil {
		done := false
		if err := c.control(func(fd uintptr) { done = f(fd) }); done || err != nil {
			return err
		}
	}
	w, err := c.wait()
	if err != nil {
		return err
	}
	return await(w.raw, f)
}

func (r rawConn) Control(f func(fd uintptr)) error { return r.failed("raw-control", r.control(f)) }

func (c *Conn) control(f func(fd uintptr)) error {
	if err := c.acquire(); err != nil {
		return err
	}
	defer c.release()
	f(uintptr(c.fd))
	return nil
}

// option calls set, which fails as a system call does.
func (c *Conn) option(op string, set func(fd int) error) error {
	var refused error
	err := c.control(func(fd uintptr) { refused = set(int(fd)) })
	if err == nil {
		err = refused
	}
	return c.failed(op, err)
}

// CloseWrite sends a FIN.
func (c *Conn) CloseWrite() error {
	return c.option("close", func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// SetLinger is net.TCPConn's: with 0, Close sends a reset.
func (c *Conn) SetLinger(sec int) error {
	if sec > 0 {
		c.wait() // Go's scheduler is to be told of a Close that takes long
	}
	l := syscall.Linger{Linger: int32(sec)}
	if sec >= 0 {
		l.Onoff = 1
	}
	return c.option("set", func(fd int) error {
		return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &l)
	})
}

// LocalAddr implements net.Conn. That of a closed connection is empty.
func (c *Conn) LocalAddr() net.Addr {
	addr := &net.TCPAddr{}
	_ = c.control(func(fd uintptr) {
		switch sa, _ := syscall.Getsockname(int(fd)); sa := sa.(type) {
		case *syscall.SockaddrInet4:
			addr.IP, addr.Port = sa.Addr[:], sa.Port
		case *syscall.SockaddrInet6:
			addr.IP, addr.Port, addr.Zone = sa.Addr[:], sa.Port, zone(sa.ZoneId)
		}
	})
	return addr
}
