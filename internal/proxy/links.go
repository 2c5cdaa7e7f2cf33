package proxy

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go-proxy/internal/netconn"
)

// links are the connections to a backend, so that they can be cut.
type links struct {
	cut atomic.Bool

	mu   sync.Mutex
	open map[*netconn.Conn]struct{}
}

// add takes a connection in. One that comes behind the cut is closed.
func (l *links) add(c *netconn.Conn) {
	if !l.take(c) {
		c.Close()
	}
}

func (l *links) take(c *netconn.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut.Load() {
		return false
	}
	if l.open == nil {
		l.open = make(map[*netconn.Conn]struct{})
	}
	l.open[c] = struct{}{}
	return true
}

// remove is told when a connection is closed.
func (l *links) remove(c *netconn.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// close cuts all connections, for good.
func (l *links) close() {
	l.mu.Lock()
	l.cut.Store(true)
	open := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}
