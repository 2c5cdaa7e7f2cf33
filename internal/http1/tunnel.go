package http1

import (
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
	uploaded := make(chan carried, 1)
	go func() { uploaded <- x.carry(c, b, theBackendToTake) }()
	down := x.carry(b, c, theClientToTake)
	up := <-uploaded
	x.record.Received, x.record.Sent = up.bytes, down.bytes
	if down.cause != hop.None {
		return down.cause, nil
	}
	return up.cause, nil
}

// carried is what became of one direction.
type carried struct {
	bytes int64
	cause hop.Cause
}

// carry carries bytes until from has ended, and passes that on. What breaks one
// direction ends the other, too.
func (x *exchange) carry(from, to *conn, taking waitFor) (all carried) {
	whole := false
	defer func() {
		if x.plane.caught(recover()) {
			all.cause = hop.Internal
		}
		if !whole {
			from.stop(all.cause)
			to.stop(all.cause)
		}
	}()
	for {
		data := from.in.data()
		if n := len(data) + from.pipe.size(); n > 0 {
			if cause, err := to.passOn(taking, from, data); err != nil {
				all.cause = cause
				return all
			}
			all.bytes += int64(n)
			from.in.consume(len(data))
		}
		cause, err := from.readFor(to, theTunnel, math.MaxInt64)
		to.reading.renew(theTunnel, theTunnel, to.sweeper.now.Load())
		if cause == hop.None && isEnd(err) {
			whole = true
			to.closeWrite()
			return all
		}
		if cause != hop.None || err != nil {
			all.cause = cause
			return all
		}
	}
}
