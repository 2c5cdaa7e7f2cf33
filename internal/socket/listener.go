//go:build linux && !386

package socket

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Listener accepts connections. Its methods are those of net.TCPListener, and
// so are their errors, but for that of a deadline, as in Conn. Accept looks after
// newcomers, too, and whoever listens is to be in it most of the time.
type Listener struct {
	fd        int // of our own, for package net lets nobody else accept from its
	addr      net.Addr
	newcomers *newcomers
	closed    atomic.Bool
	delays    bool // connections do not have its TCP_NODELAY

	// Of Accept, and of one after the other: turns stays.
	accepting sync.Mutex // of fd, too
	next      *Conn      // to be accepted
	err       error      // why it was not
	turns     int        // how often it is worth trying before others have a turn
	look      func(epoll uintptr) (done bool)
}

// mostTurns is how many connections are accepted before others have a turn.
const mostTurns = 64

// Listen takes over a listener, and returns one that accepts connections of this
// package, or the same where there are none.
func Listen(l *net.TCPListener) (net.Listener, error) {
	fd, err := duplicate(l)
	if err != nil {
		l.Close()
		return nil, err
	}
	n, err := newNewcomers(fd)
	if err != nil {
		sysClose(fd)
		return l, nil
	}
	l.Close()
	ours := &Listener{fd: fd, addr: l.Addr(), newcomers: n}
	ours.delays = noDelay(fd) != nil // as with MPTCP before Linux 5.17
	ours.look = ours.lookAround
	return ours, nil
}

// duplicate returns another descriptor of the listening socket, which Go's poller
// does not know: what it was told of each client would be for nobody.
func duplicate(l *net.TCPListener) (fd int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0, err
	}
	var refused error
	err = raw.Control(func(u uintptr) { fd, refused = sysDuplicate(u) })
	return fd, errors.Join(err, refused)
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	l.next = &Conn{newcomers: l.newcomers}
	err := l.newcomers.raw.Read(l.look)
	if err == nil {
		err = os.NewSyscallError("accept4", l.err)
	}
	if err != nil {
		l.newcomers.beginAll() // who knows when they are looked after again
		return nil, l.failed("accept", err)
	}
	return l.next, nil
}

// lookAround is done when there is a connection or an error.
func (l *Listener) lookAround(epoll uintptr) (done bool) {
	for {
		if l.turns > 0 {
			l.turns--
			if l.err = l.next.accept(l); l.err != syscall.EAGAIN {
				return true
			}
			l.turns = 0
		}
		news, clients := l.newcomers.look(epoll)
		if !news {
			return false
		}
		if clients {
			l.turns = mostTurns
		}
		// Clients who keep coming would keep a processor from those who are here:
		// sysmon, which sees to that otherwise, may be asleep (see sysRead).
		runtime.Gosched()
	}
}

// accept passes over clients who have left meanwhile.
func (c *Conn) accept(l *Listener) (err error) {
	var peer syscall.RawSockaddrInet6 // or the shorter one of IPv4
	for err = syscall.ECONNABORTED; err == syscall.ECONNABORTED; {
		c.fd, err = sysAccept(l.fd, &peer)
	}
	if err == nil {
		if l.delays {
			_ = noDelay(c.fd) // fails only if the client has gone
		}
		c.setPeer(&peer)
	}
	return err
}

func noDelay(fd int) error {
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.failed("close", net.ErrClosed)
	}
	l.newcomers.close()
	l.accepting.Lock() // Accept has ended with that
	defer l.accepting.Unlock()
	sysClose(l.fd)
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetDeadline ends the waiting for clients at t; the zero time is no end.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.failed("set", l.newcomers.file.SetDeadline(t))
}

func (l *Listener) failed(op string, err error) error {
	return failed(op, l.addr, l.closed.Load(), err)
}
