package proxy

import (
	"context"
	"time"

	"go-proxy/internal/hop"
)

// begin starts the clock of the whole exchange, if there is one, and finds what
// is believed of the client.
func (x *request) begin() {
	x.explains = x.asksToExplain()
	total := x.settings.Timeouts.Total
	if total == 0 {
		return
	}
	ctx, cancel := context.WithCancelCause(x.in.Context())
	x.in = x.in.WithContext(ctx)
	clock := time.AfterFunc(total-time.Since(x.record.Start), func() {
		begun := x.out.begun.Load() // before anybody begins to answer for this
		cancel(&hop.Failure{Cause: hop.TotalTimeout})
		if x.body != nil {
			x.body.interrupt() // http.Transport waits for the body's reader
		}
		if begun {
			x.out.endWrites()
		}
	})
	x.stop = func() {
		if !clock.Stop() {
			x.stopReading() // the next response could not be written
		}
		cancel(nil)
	}
	x.out.clock = clock
}

// The states of an attempt that has a limit.
const (
	waiting uint32 = iota
	headCame
	timedOut
)

// limit ends the attempt if its response head does not come in time; what the
// client needs for its body does not count.
func (a *attempt) limit(limit time.Duration) {
	if limit == 0 {
		return
	}
	ctx, cancel := context.WithCancelCause(a.Context)
	a.Context, a.cancel, a.allowed = ctx, cancel, limit
	body := a.request.body
	a.clock = time.AfterFunc(limit, func() {
		if body != nil && !body.done.Load() {
			return // and then it begins anew
		}
		if a.state.CompareAndSwap(waiting, timedOut) {
			cancel(&hop.Failure{Cause: hop.AttemptTimeout})
		}
	})
	if body != nil {
		body.attempt.Store(a)
	}
}

// bodyCame lets the time begin anew.
func (a *attempt) bodyCame() { a.clock.Reset(a.allowed) }

// inTime reports whether a response head that has come was in time.
func (a *attempt) inTime() bool {
	if a.clock != nil {
		a.clock.Stop()
	}
	return a.state.CompareAndSwap(waiting, headCame)
}

// endLimit gives back what limit took.
func (a *attempt) endLimit() {
	if a.clock != nil {
		a.clock.Stop()
		a.cancel(nil)
	}
}
