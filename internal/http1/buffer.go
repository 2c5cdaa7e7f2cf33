package http1

import (
	"sync"
	"sync/atomic"
)

// buffer is what has been read from a connection and not yet consumed. It is
// lent by a class, and a connection that waits with nothing read has none.
type buffer struct {
	b     []byte
	r, w  int
	class *class
}

// front is left free before what is read: a head that grew on its way can be
// put in front of the content that came behind it.
const front = 128

// class lends buffers of one size.
type class struct {
	size int
	next *class // the one to grow into
	most int32  // lent at a time; 0: any number
	lent atomic.Int32
	pool sync.Pool
}

// The classes: heads of clients, which are short; bodies and heads of backends;
// and bodies that never seem to end. Of the last there are few, so that a
// thousand slow readers do not hold a thousand of them.
var (
	large  = &class{size: 256 << 10, most: 64}
	medium = &class{size: 32 << 10}
	small  = &class{size: 4 << 10, next: medium}
)

// lend returns an empty buffer, or nil if too many are lent.
func (c *class) lend() *buffer {
	if c.most > 0 && c.lent.Add(1) > c.most {
		c.lent.Add(-1)
		return nil
	}
	b, _ := c.pool.Get().(*buffer)
	if b == nil {
		b = &buffer{b: make([]byte, front+c.size), class: c}
	}
	b.r, b.w = front, front
	return b
}

// release gives the buffer back, whatever is in it.
func (b *buffer) release() {
	c := b.class
	if c == nil { // as large as some head
		return
	}
	if c.most > 0 {
		c.lent.Add(-1)
	}
	c.pool.Put(b)
}

// data is what is in it.
func (b *buffer) data() []byte {
	if b == nil {
		return nil
	}
	return b.b[b.r:b.w]
}

func (b *buffer) consume(n int) {
	if b != nil {
		b.r += n
	}
}

// free is where to read to.
func (b *buffer) free() []byte { return b.b[b.w:] }

// roomy returns the buffer, or a larger one with the same in it, with room to
// read. Views into it do not hold any more.
func (b *buffer) roomy() *buffer {
	switch {
	case b.r == b.w:
		b.r, b.w = front, front
	case b.w < len(b.b):
	case b.r > front:
		b.w = front + copy(b.b[front:], b.data())
		b.r = front
	default:
		return b.grown()
	}
	return b
}

func (b *buffer) grown() *buffer {
	var bigger *buffer
	if b.class != nil && b.class.next != nil {
		bigger = b.class.next.lend()
	} else {
		bigger = &buffer{b: make([]byte, front+2*(len(b.b)-front))}
	}
	bigger.r, bigger.w = front, front+copy(bigger.b[front:], b.data())
	b.release()
	return bigger
}

// behind puts the head in front of the content that was consumed last, and
// returns both, or nil if the content was moved, or there is no room.
func (b *buffer) behind(head, content []byte) []byte {
	place := b.r - len(content)
	start := place - len(head)
	if start < 0 || &b.b[place] != &content[0] {
		return nil
	}
	copy(b.b[start:], head)
	return b.b[start:b.r]
}
