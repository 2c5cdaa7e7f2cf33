package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// An address that is given up is still listened on until nobody has come for
// lastLook: a close would reset clients whom the kernel has connected and who
// were not yet taken. That ends after longestLook, whoever comes.
const (
	lastLook    = 10 * time.Millisecond
	longestLook = time.Second
)

// address is a listener that can be replaced while somebody accepts from it.
type address struct {
	mu     sync.Mutex
	queue  []net.Listener // the one that is accepted from, and those to follow it
	until  time.Time      // for how long the first is listened on, if others follow
	closed bool
}

func newAddress(l net.Listener) *address { return &address{queue: []net.Listener{l}} }

// current is where clients are to connect to.
func (a *address) current() net.Listener {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.queue[len(a.queue)-1]
}

// move takes over l. Who waits in accept turns to it soon.
func (a *address) move(l net.Listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		l.Close()
		return
	}
	a.until = time.Now().Add(longestLook)
	a.queue = append(a.queue, l)
	setDeadline(a.queue[0], time.Now()) // ends the waiting; see accept
}

// setDeadline closes a listener that has no deadline.
func setDeadline(l net.Listener, t time.Time) {
	if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(t) // fails only on a closed one
		return
	}
	l.Close()
}

// accept is for one goroutine at a time.
func (a *address) accept() (net.Conn, error) {
	for {
		l, leaving := a.first()
		c, err := l.Accept()
		if err == nil {
			return c, nil
		}
		if err = a.next(l, leaving, err); err != nil {
			return nil, err
		}
	}
}

// first is what is to be accepted from, and whether for the last time.
func (a *address) first() (l net.Listener, leaving bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l = a.queue[0]
	if len(a.queue) == 1 {
		return l, false
	}
	deadline := time.Now().Add(lastLook)
	if deadline.After(a.until) {
		deadline = a.until
	}
	setDeadline(l, deadline)
	return l, true
}

// next decides what the end of an Accept means: it turns to the listener
// behind l if there is one and l has been looked at for the last time, and
// returns err if it is not for a move.
func (a *address) next(l net.Listener, leaving bool, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	expired, closed := errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed)
	switch {
	case a.closed:
		return net.ErrClosed
	case len(a.queue) == 1 || !expired && !closed:
		return err
	case leaving || closed:
		l.Close()
		a.queue = a.queue[1:]
	}
	return nil
}

func (a *address) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	var errs []error
	for _, l := range a.queue {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
