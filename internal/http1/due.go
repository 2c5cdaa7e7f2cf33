package http1

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"go-proxy/internal/hop"
)

// due is a tick, or 0 for none, which it is nearly always: then setting it again
// is no write.
type due struct{ atomic.Uint64 }

func (d *due) set(tick uint64) {
	if d.Load() != tick {
		d.Store(tick)
	}
}

// begin starts the clock of the whole exchange, if there is one.
func (x *exchange) begin() {
	if total := x.settings.Timeouts.Total; total > 0 {
		x.ends = time.Now().Add(total)
		x.client.due.set(x.plane.sweeper.now.Load() + x.plane.sweeper.ticks(total))
	}
}

// bound bounds connecting by what ends first, the attempt or the exchange.
func (x *exchange) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if !x.settings.Bounded() {
		return ctx, func() {}
	}
	t, ends, cause := x.settings.Timeouts, x.ends, hop.TotalTimeout
	if attempt := time.Now().Add(t.Attempt); t.Attempt > 0 && (t.Total == 0 || attempt.Before(ends)) {
		ends, cause = attempt, hop.AttemptTimeout
	}
	return context.WithDeadlineCause(ctx, ends, &hop.Failure{Cause: cause})
}

// attemptDue is the last tick for a response head to come in, or 0.
func (x *exchange) attemptDue() uint64 {
	attempt := x.settings.Timeouts.Attempt
	if attempt == 0 {
		return 0
	}
	return x.plane.sweeper.now.Load() + x.plane.sweeper.ticks(attempt)
}

// late reports whether the exchange's time is over. The sweeper may miss it
// where no wait is long.
func (x *exchange) late() bool {
	due := x.client.due.Load()
	return due > 0 && x.plane.sweeper.now.Load() > due
}

// overrun ends the waits of what is overdue. Those that began in this tick are
// left alone: they may be another exchange's.
func (c *conn) overrun(now uint64) {
	if c.upstream != nil {
		c.expireRead(now, hop.AttemptTimeout, aResponseHead)
		c.expireWrite(now, hop.AttemptTimeout, theBackendToTake)
		return
	}
	c.expireWrite(now, hop.TotalTimeout, theClientToTake)
	if backend := c.peer.Load(); backend != nil {
		backend.expireRead(now, hop.TotalTimeout, aResponseHead, aResponseBody, theUpload)
		backend.expireWrite(now, hop.TotalTimeout, theBackendToTake)
	}
}

// forever is a tick that none comes after.
const forever = math.MaxUint64

func (c *conn) expireRead(before uint64, cause hop.Cause, any ...waitFor) {
	if c.reading.expireAny(before, cause, any) {
		c.Conn.SetReadDeadline(longAgo) // fails only on a closed connection
	}
}

func (c *conn) expireWrite(before uint64, cause hop.Cause, f waitFor) {
	if c.writing.expireAny(before, cause, []waitFor{f}) {
		c.Conn.SetWriteDeadline(longAgo)
	}
}

// expireAny ends a wait for any of these that began before the tick.
func (w *wait) expireAny(before uint64, cause hop.Cause, any []waitFor) bool {
	f, since := w.get()
	return slices.Contains(any, f) && since < before && w.expire(f, since, cause)
}

// is reports whether it is a wait for any of these that began before the tick.
func (w *wait) is(before uint64, any ...waitFor) bool {
	f, since := w.get()
	return slices.Contains(any, f) && since < before
}
