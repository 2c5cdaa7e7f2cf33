//go:build linux && !386

package socket

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// newcomers are connections over which nothing has come yet. They are watched
// by an epoll of their own (epoll(7)), beside the socket that listens, and that
// is what Go's poller is told of.
type newcomers struct {
	file   *os.File // the epoll
	raw    syscall.RawConn
	fd     int
	events [64]syscall.EpollEvent // for one at a time to look

	mu     sync.Mutex
	conns  map[int32]*Conn // by descriptor
	closed bool
}

func newNewcomers(listener int) (*newcomers, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	_ = syscall.SetNonblock(fd, true) // has os.NewFile tell the poller of it, and the deadline fails if not
	s := &newcomers{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, conns: make(map[int32]*Conn)}
	if s.raw, err = s.file.SyscallConn(); err == nil {
		err = errors.Join(s.file.SetDeadline(time.Time{}), sysWatch(fd, listener, syscall.EPOLLIN))
	}
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// Stages of a connection, as newcomers see it.
const (
	unwatched = iota
	fresh     // nothing has come
	begun
)

// add is false if the connection is to begin at once. Who closes it or sets a
// deadline notes that first and looks then whether it is fresh; here it is made
// fresh first. So one of both sees the other.
func (s *newcomers) add(c *Conn, start func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || c.acquire() != nil {
		return false
	}
	defer c.release()
	c.stage.Store(fresh)
	over := c.users.Load() < 0 || c.waiter.Load() != nil
	if over || sysWatch(s.fd, c.fd, syscall.EPOLLIN|syscall.EPOLLONESHOT) != nil {
		c.stage.Store(unwatched)
		return false
	}
	c.start = start
	s.conns[int32(c.fd)] = c
	return true
}

// forget is for a connection that others wait for: what comes over it would pass
// by here, too, every time.
func (s *newcomers) forget(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.stage.Load() != unwatched && !s.closed {
		sysUnwatch(s.fd, c.fd)
	}
}

// look begins those over which something has come. It reports whether there is
// any news, and whether it may be that somebody connects. An event may be older
// than the connection that has its descriptor now: that waits like any other.
func (s *newcomers) look(epoll uintptr) (news, clients bool) {
	n, _ := sysEvents(epoll, s.events[:]) // fails only on a closed one
	for i := range max(n, 0) {
		c := s.of(s.events[i].Fd)
		clients = clients || c == nil
		s.begin(c)
	}
	return n > 0, clients
}

func (s *newcomers) of(fd int32) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[fd]
}

// begin is for a connection that may have begun.
func (s *newcomers) begin(c *Conn) {
	if start := s.remove(c); start != nil {
		start()
	}
}

func (s *newcomers) remove(c *Conn) (start func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c == nil || s.conns[int32(c.fd)] != c {
		return nil
	}
	delete(s.conns, int32(c.fd))
	c.stage.Store(begun)
	start, c.start = c.start, nil // a connection may stay for long
	return start
}

func (s *newcomers) beginAll() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.conns))
	s.mu.Unlock()
	for _, c := range all {
		s.begin(c)
	}
}

func (s *newcomers) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.beginAll()
	s.file.Close()
}
