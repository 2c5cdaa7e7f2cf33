package http1

import (
	"net"

	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
)

// client is a client's connection. Its goroutine is the story of its requests.
type client struct {
	conn
	plane   *Plane
	addr    string
	private *conn     // a backend's, on which this client has logged in
	current *exchange // nil between requests
}

func newClient(p *Plane, accepted net.Conn) *client {
	outer, ok := accepted.(*netconn.Conn)
	if !ok {
		outer = netconn.New(accepted, p.settings.Load().Timeouts.WriteStall, nil)
	}
	c := &client{plane: p, addr: outer.RemoteAddr().String()}
	c.outer = outer
	c.reading.begin(theFirstRequest, p.sweeper.now.Load())
	c.open(outer.Conn, p.sweeper, small)
	return c
}

// host is the client's address without the port.
func (c *client) host() string { return hop.HostOf(c.addr) }

// begin serves the client when it has said something, or is not to be waited for
// any longer.
func (c *client) begin() {
	s, ok := c.Conn.(interface{ Begin(start func()) })
	if !ok || c.plane.draining.Load() { // which may not have seen this wait
		c.start()
		return
	}
	s.Begin(c.start)
}

func (c *client) start() { c.plane.crew.serve(c) }

// serve answers requests, one after the other, until one of them is the last.
func (c *client) serve() {
	defer c.plane.running.Done()
	defer c.end()
	for c.awaitRequest() {
		c.current = c.plane.open(c)
		keep := c.current.run()
		c.current.close()
		c.current = nil
		if !keep {
			return
		}
	}
}

// awaitRequest waits for the first byte of a request; for that of the first since
// the connection was accepted. Meanwhile it holds no buffer.
func (c *client) awaitRequest() bool {
	if len(c.in.data()) > 0 {
		return !c.plane.draining.Load()
	}
	c.giveBack()
	c.reading.renew(nothing, aRequest, c.sweeper.now.Load())
	if c.plane.draining.Load() { // which may not have seen this wait
		return false
	}
	err := c.fill()
	return c.endRead() == hop.None && err == nil
}

// end closes the connection, also after a panic.
func (c *client) end() {
	if c.plane.caught(recover()) && c.current != nil {
		c.current.abandon()
	}
	if c.private != nil {
		c.private.shut()
	}
	c.shut()
}
