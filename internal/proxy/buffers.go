package proxy

import "sync"

// bufferPool lends the buffers that bodies pass through.
type bufferPool struct{ pool sync.Pool }

// buffers are shared by all backends.
var buffers = &bufferPool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}

// Get implements httputil.BufferPool.
func (b *bufferPool) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put implements httputil.BufferPool.
func (b *bufferPool) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
