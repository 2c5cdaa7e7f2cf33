//go:build linux && !386

package socket

import (
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Listener accepts connections. Its methods are those of net.TCPListener, and
// so are their errors. Accept looks after newcomers, too, and whoever listens
// is to be in it most of the time.
type Listener struct {
	file      *os.File // package net lets nobody else accept from its own
	fd        int      // of file
	addr      net.Addr
	newcomers *newcomers
	closed    atomic.Bool

	accepting sync.Mutex                      // of what follows, and of fd
	next      *Conn                           // to be accepted
	err       error                           // why it was not
	turns     int                             // how often it is worth trying before others have a turn
	look      func(epoll uintptr) (done bool) // is lookAround
}

// mostTurns is how many connections are accepted before others have a turn.
const mostTurns = 64

// Listen takes over a listener, and returns one that accepts connections of this
// package, or the same where there are none.
func Listen(l *net.TCPListener) (net.Listener, error) {
	file, fd, err := open(l)
	if err != nil {
		l.Close()
		return nil, err
	}
	n, err := newNewcomers(fd)
	if err != nil {
		file.Close()
		return l, nil
	}
	l.Close()
	ours := &Listener{file: file, fd: fd, addr: l.Addr(), newcomers: n}
	ours.look = ours.lookAround
	return ours, nil
}

// open returns the listener's socket once more, not to block as before, which
// it would if it were asked for its descriptor.
func open(l *net.TCPListener) (file *os.File, fd int, err error) {
	if file, err = l.File(); err != nil {
		return nil, 0, err
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(u uintptr) { fd = int(u) })
	}
	if err != nil {
		file.Close()
	}
	return file, fd, err
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
			if l.err = l.next.accept(l.fd); l.err != syscall.EAGAIN {
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
		runtime.Gosched() // a scheduler that is not told of system calls might not see to it
	}
}

// accept passes over clients who have left meanwhile.
func (c *Conn) accept(listener int) (err error) {
	var peer syscall.RawSockaddrInet6 // or the shorter one of IPv4
	for {
		c.fd, err = sysAccept(listener, &peer)
		if err != syscall.ECONNABORTED && err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		sysNoDelay(c.fd)
		c.setPeer(&peer)
	}
	return err
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.failed("close", net.ErrClosed)
	}
	l.newcomers.close()
	l.accepting.Lock() // Accept has ended with that
	defer l.accepting.Unlock()
	return l.failed("close", l.file.Close())
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
