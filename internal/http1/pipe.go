package http1

import (
	"sync/atomic"

	"go-proxy/internal/hop"
)

// pipe is one of the kernel's, by which bytes go from socket to socket without
// being copied to the proxy and back: for 0.4 to 0.7 of the CPU. It is lent for
// a piece at a time, so that only a peer that takes nothing keeps one.
type pipe struct {
	r, w int // descriptors
	held int // bytes that are in it
}

const (
	pipeSize   = 256 << 10 // what goes by a pipe at a time, so that progress shows
	fewForPipe = 64 << 10  // cost the same by a copy
)

// size is how much is in it.
func (p *pipe) size() int {
	if p == nil {
		return 0
	}
	return p.held
}

// lender lends pipes, and keeps those that come back empty.
type lender struct {
	lent atomic.Int32
	idle chan *pipe // with room for as many as there may be
}

// pipePool is the process's. It lends few for the reason that large buffers are
// few.
var pipePool = newLender(64)

func newLender(most int) *lender { return &lender{idle: make(chan *pipe, most)} }

// lend returns an empty pipe, or nil if too many are lent or there can be none.
func (l *lender) lend() (p *pipe) {
	if int(l.lent.Add(1)) <= cap(l.idle) {
		select {
		case p = <-l.idle:
		default:
			p = newPipe()
		}
	}
	if p == nil {
		l.lent.Add(-1)
	}
	return p
}

// release takes a pipe back. What was left in one must reach nobody.
func (l *lender) release(p *pipe) {
	if p.held > 0 {
		p.close()
	} else {
		l.idle <- p // never waits: there are no more
	}
	l.lent.Add(-1)
}

// dropIdle closes the pipes that nobody has.
func (l *lender) dropIdle() {
	for {
		select {
		case p := <-l.idle:
			p.close()
		default:
			return
		}
	}
}

// readFor is read where up to most bytes are to go on to another connection as
// they are. If much comes at a time, and both are sockets, they go by a pipe.
func (c *conn) readFor(to *conn, f waitFor, most int64) (hop.Cause, error) {
	if c.full && to.socket != nil && most > fewForPipe {
		c.piping = int(min(most, pipeSize))
	}
	cause, err := c.read(f)
	c.piping = 0
	return cause, err
}

// readPipe reads what there is into a pipe, which is not kept to wait. That it
// has read nothing does not mean that there is nothing, nor that this is the
// end: no pipe can be had, or none passes what is urgent (tcp(7)).
func (c *conn) readPipe(fd uintptr) (int, error) {
	p := pipePool.lend()
	if p == nil {
		return 0, nil
	}
	n, err := p.fill(fd, c.piping)
	if n == 0 {
		pipePool.release(p)
		return 0, err
	}
	c.giveBack()
	c.pipe, c.full = p, n >= medium.size
	return n, nil
}

// passOn writes p, or what from has in its pipe instead.
func (c *conn) passOn(f waitFor, from *conn, p []byte) (hop.Cause, error) {
	if from.pipe == nil {
		return c.write(f, p)
	}
	c.pouring = from.pipe
	cause, err := c.write(f, nil)
	c.pouring = nil
	from.dropPipe()
	return cause, err
}

// dropPipe gives the pipe back, whatever is in it.
func (c *conn) dropPipe() {
	if c.pipe != nil {
		pipePool.release(c.pipe)
		c.pipe = nil
	}
}
