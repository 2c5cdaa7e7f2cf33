package http1

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// tellsWriter is a connection that was reset after its first bytes both ways.
// As the kernel does, it says so to the write that comes first, and to a read
// that this is the end.
type tellsWriter struct {
	net.Conn
	writes, reads int
	told          chan struct{}
	once          sync.Once
}

func (c *tellsWriter) Write(p []byte) (int, error) {
	if c.writes++; c.writes == 1 {
		return c.Conn.Write(p)
	}
	c.once.Do(func() { close(c.told) })
	return 0, &net.OpError{Op: "write", Err: syscall.ECONNRESET}
}

func (c *tellsWriter) Read(p []byte) (int, error) {
	if c.reads++; c.reads == 1 {
		return c.Conn.Read(p)
	}
	<-c.told
	return 0, io.EOF
}

// The upload was told of a reset, so that the end of the response is none.
func TestResetThatAWriteWasToldOfIsNoEndOfTheContent(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\n\r\na part")
		p.AwaitEnd()
	})})
	r.plane.dial = func(ctx context.Context, b *pool.Backend) (net.Conn, error) {
		c, err := dialBackend(ctx, b)
		return &tellsWriter{Conn: c, told: make(chan struct{})}, err
	}
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.Contains(t, p.Head(), "Transfer-Encoding: chunked")
	p.Send("4\r\nmore\r\n")
	rest, _ := p.Rest()
	require.Equal(t, "6\r\na part\r\n", rest, "no last chunk")
	require.Equal(t, hop.TruncatedByBackend, r.record().Cause)
}

// HTTP/1.0 has no other way to say that this was not all.
func TestWhateverCutsAResponseAnHTTP10ClientSeesAReset(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"a removed backend": func(r *rig) { r.plane.Cut(r.pool.Backends()[0]) },
		"a shutdown":        func(r *rig) { r.stop() },
		"a panic":           func(*rig) {},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
				p.AwaitEnd()
			})})
			if name == "a panic" {
				r.panicking(panics{onRead: true})
			}
			p := r.dial()
			p.Send("GET / HTTP/1.0\r\n\r\n")
			p.Head()
			end(r)
			_, err := p.Rest()
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
	}
}
