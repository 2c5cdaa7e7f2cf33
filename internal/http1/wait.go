package http1

import (
	"sync/atomic"

	"go-proxy/internal/hop"
)

// waitFor is what a connection is waited for. Each has its limit and cause.
type waitFor uint8

const (
	nothing          waitFor = iota
	theFirstRequest          // of a connection
	aRequest                 // between requests
	aRequestHead             // whole
	aRequestBody             // without progress
	theClientToTake          // without progress
	theUpload                // of which a head of the backend can come before the end
	aResponseHead            // whole
	aResponseBody            // without progress
	theBackendToTake         // without progress
	theTunnel                // silent in both directions
	numWaits
)

// wait is what one direction of a connection is waited for, and since when. It
// costs two atomic operations: no clock is read, and no deadline is set unless
// the time is over. Time is the sweeper's, in ticks.
type wait struct{ state atomic.Uint64 }

// A state is the kind above, the tick below; or expired, with the cause.
const (
	kindShift = 56
	tickMask  = 1<<kindShift - 1
	expired   = 0xff
)

// begin says what is waited for from now on.
func (w *wait) begin(f waitFor, tick uint64) { w.state.Store(uint64(f)<<kindShift | tick) }

// end returns the cause that the wait was ended for, or None.
func (w *wait) end() hop.Cause {
	if s := w.state.Swap(0); s>>kindShift == expired {
		return hop.Cause(s & tickMask)
	}
	return hop.None
}

// renew lets the time of a wait that is under way begin anew, for something
// else or the same.
func (w *wait) renew(from, to waitFor, tick uint64) {
	s := w.state.Load()
	if next := uint64(to)<<kindShift | tick; waitFor(s>>kindShift) == from && s != next {
		w.state.CompareAndSwap(s, next)
	}
}

// get is what is waited for, and since when.
func (w *wait) get() (f waitFor, since uint64) {
	s := w.state.Load()
	return waitFor(s >> kindShift), s & tickMask
}

// expire ends the wait that get returned, if it is still that one: a wait that
// has begun since has another tick.
func (w *wait) expire(f waitFor, since uint64, cause hop.Cause) bool {
	return w.state.CompareAndSwap(uint64(f)<<kindShift|since, expired<<kindShift|uint64(cause))
}
