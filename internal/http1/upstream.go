package http1

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// upstream is the connections to one backend. Those that are not in use are in
// a stack: the one used last is the least likely to be closed, and what is not
// needed grows old at the other end.
type upstream struct {
	backend *pool.Backend
	prefix  string // of every target
	tls     *tls.Config
	plane   *Plane
	age     atomic.Int32 // how often its address has changed
	cut     atomic.Bool  // it was removed, and its time is over

	mu   sync.Mutex // held for a moment, never for a system call
	idle []*conn
}

func newUpstream(b *pool.Backend, p *Plane) *upstream {
	u := &upstream{backend: b, prefix: b.URL.EscapedPath(), plane: p}
	if b.URL.Scheme == "https" {
		u.tls = &tls.Config{ServerName: b.URL.Hostname()}
	}
	return u
}

func (u *upstream) settings() *settings { return u.plane.settings.Load() }

// current reports whether the connection leads to where the backend is now.
func (u *upstream) current(c *conn) bool { return c.age == u.age.Load() && !u.cut.Load() }

// pop returns an unused connection, or nil.
func (u *upstream) pop() *conn {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.idle)
	if n == 0 {
		return nil
	}
	c := u.idle[n-1]
	u.idle[n-1], u.idle = nil, u.idle[:n-1]
	return c
}

// put keeps a connection over which both messages have ended.
func (u *upstream) put(c *conn) {
	c.giveBack()
	c.idle = c.sweeper.now.Load()
	if !u.push(c, u.settings().Limits.IdleConns) {
		c.shut()
	}
}

// push looks while it has the lock, so that who drops what is not current finds
// all of it.
func (u *upstream) push(c *conn, most int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.idle) >= most || !u.current(c) {
		return false
	}
	u.idle = append(u.idle, c)
	return true
}

func (u *upstream) dial(ctx context.Context) (*conn, *hop.Failure) {
	age, t := u.age.Load(), u.settings().Timeouts
	dialing, cancel := context.WithTimeout(ctx, t.Dial)
	defer cancel()
	inner, err := u.plane.dial(dialing, u.backend)
	if err != nil {
		return nil, &hop.Failure{Cause: hop.DialCause(err), Err: err}
	}
	if u.tls != nil {
		if inner, err = u.handshake(ctx, inner, t.TLSHandshake); err != nil {
			return nil, &hop.Failure{Cause: hop.TLSFailed, Err: err}
		}
	}
	c := &conn{upstream: u, age: age}
	c.open(inner, u.plane.sweeper, medium)
	return c, nil
}

func (u *upstream) handshake(ctx context.Context, inner net.Conn, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn := tls.Client(inner, u.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		inner.Close()
		return nil, err
	}
	return conn, nil
}

// sweep closes unused connections that are too old, and those that a backend
// has closed or sent something over.
func (u *upstream) sweep(now uint64) {
	limit := u.plane.sweeper.ticks(u.settings().Timeouts.BackendIdle)
	u.mu.Lock()
	idle, old := slices.Clone(u.idle), 0
	for old < len(idle) && now > idle[old].idle+limit {
		old++
	}
	u.mu.Unlock()
	for i, c := range idle {
		if (i < old || !c.looksQuiet()) && u.remove(c) { // else it has just been taken, and the taker finds out
			c.shut()
		}
	}
}

func (u *upstream) remove(c *conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.Index(u.idle, c)
	if i < 0 {
		return false
	}
	u.idle = slices.Delete(u.idle, i, i+1)
	return true
}

// dropIdle closes the unused connections.
func (u *upstream) dropIdle() {
	for c := u.pop(); c != nil; c = u.pop() {
		c.shut()
	}
}

// idleLook is how often unused connections are looked at.
const idleLook = time.Second
