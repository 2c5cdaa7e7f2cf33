package http1

import (
	"cmp"
	"math"

	"go-proxy/internal/hop"
)

// tunnel carries bytes both ways after a switch of protocols, until both sides
// have ended. What came behind the heads goes first.
func (x *exchange) tunnel() (hop.Cause, error) {
	c, b := &x.client.conn, x.backend
	c.due.set(0)
	c.peer.Store(nil) // its FIN ends one direction from now on
	x.answered, x.keep = true, false
	x.record.Status = x.response.status
	x.out = x.response.appendSwitch(x.out[:0])
	if cause, err := c.write(theClientToTake, x.out); err != nil {
		return orGone(cause), err
	}
	c.class = medium
	uploaded := make(chan hop.Cause, 1)
	go func() { uploaded <- x.carry(c, b, theBackendToTake, &x.body.passed) }()
	down := x.carry(b, c, theClientToTake, &x.record.Sent)
	return cmp.Or(down, <-uploaded), nil
}

// carry carries bytes until from has ended, and passes that on. What breaks one
// direction ends the other, too.
func (x *exchange) carry(from, to *conn, taking waitFor, passed *int64) (cause hop.Cause) {
	whole := false
	defer func() {
		if x.plane.caught(recover()) {
			cause = hop.Internal
		}
		if !whole {
			from.stop(cause)
			to.stop(cause)
		}
	}()
	for {
		data := from.in.data()
		if n := len(data) + from.pipe.size(); n > 0 {
			if cause, err := to.passOn(taking, from, data); err != nil {
				return cause
			}
			*passed += int64(n)
			from.in.consume(len(data))
		}
		cause, err := from.readFor(to, theTunnel, math.MaxInt64)
		to.reading.renew(theTunnel, theTunnel, to.sweeper.now.Load())
		if cause == hop.None && isEnd(err) {
			whole = true
			to.closeWrite()
			return hop.None
		}
		if cause != hop.None || err != nil {
			return cause
		}
	}
}
