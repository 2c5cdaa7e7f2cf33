package http1

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// panics is a connection whose second read does, or its second write.
type panics struct {
	net.Conn
	onRead, onWrite bool
	reads, writes   int
}

func (c *panics) Read(p []byte) (int, error) {
	if c.reads++; c.onRead && c.reads > 1 {
		panic("oops")
	}
	return c.Conn.Read(p)
}

func (c *panics) Write(p []byte) (int, error) {
	if c.writes++; c.onWrite && c.writes > 1 {
		panic("oops")
	}
	return c.Conn.Write(p)
}

// panicking has the rig's connections to backends be like c.
func (r *rig) panicking(c panics) {
	r.plane.dial = func(ctx context.Context, b *pool.Backend) (net.Conn, error) {
		var err error
		c := c
		c.Conn, err = dialBackend(ctx, b)
		return &c, err
	}
}

// What the upload has is given back once: the race detector looks on.
func TestPanicEndsTheUploadFirst(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\na part")
		p.AwaitEnd()
	})})
	r.panicking(panics{onRead: true})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
	require.Contains(t, p.Head(), " 200 ")
	_, err := p.Rest()
	require.NoError(t, err)
	require.Equal(t, hop.Internal, r.record().Cause)
}

// Nobody else stands behind the goroutine of an upload: the process would end.
func TestPanicInAnUploadEndsItsExchangeOnly(t *testing.T) {
	asked := make(chan bool)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		close(asked)
		p.AwaitEnd()
	})})
	r.panicking(panics{onWrite: true})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
	<-asked
	p.Send("more")
	head := p.Head()
	require.Contains(t, head, " 500 ")
	require.Contains(t, head, "\r\nConnection: close\r\n", "although all has come")
	require.Equal(t, hop.Internal, r.record().Cause)
	require.Contains(t, r.log.String(), "oops")
}

func TestPanicInATunnelEndsBothDirections(t *testing.T) {
	for name, c := range map[string]panics{"down": {onRead: true}, "up": {onWrite: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
				p.AwaitEnd()
			})})
			r.panicking(c)
			p := r.dial()
			p.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			require.Contains(t, p.Head(), " 101 ")
			p.Send("something")
			p.AwaitEnd()
			require.Equal(t, hop.Internal, r.record().Cause)
			require.Contains(t, r.log.String(), "oops")
		})
	}
}
