package http1

import (
	"context"
	"errors"
	"log/slog"

	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// forward tries a backend, and others if it may.
func (x *exchange) forward() hop.Cause {
	x.describe()
	if cause := x.acquire(); cause != hop.None {
		return cause
	}
	if x.triesLeft() {
		x.kept = append(x.kept[:0], x.raw...)
	}
	x.replayable = true
	for {
		if log := x.plane.log; log.Enabled(x.plane.ctx, slog.LevelDebug) {
			log.Debug("picked", "backend", x.lease.Backend, "client", x.client.addr, "method", string(x.record.Method), "path", string(x.record.Path))
		}
		x.compose()
		cause := x.attempts()
		if x.next.Backend == nil {
			return cause
		}
		x.lease, x.leased, x.next = x.next, true, pool.Lease{}
	}
}

// compose makes what the backend is sent first: the head, and what of the body
// has come with it. The views into the request do not hold any more, so that for
// another backend it is parsed again.
func (x *exchange) compose() {
	x.part = x.part[:0]
	if len(x.tried) > 0 {
		x.part = append(x.part, x.sent[x.headEnd:]...)
		x.request.parse(x.kept, x.settings.head.lines)
	}
	u := x.plane.upstreamOf(x.lease.Backend)
	r := route{host: x.lease.Backend.URL.Host, prefix: u.prefix, from: &x.from}
	x.sent = x.request.appendTo(x.sent[:0], &r)
	x.headEnd = len(x.sent)
	x.sent = append(x.sent, x.part...)
	x.sentWhole = false
}

// attempts tries the backend until it is known how that ends: a connection that
// the backend has closed for being unused is replaced as long as the request
// may be sent again.
func (x *exchange) attempts() hop.Cause {
	for {
		cause, err := x.connect()
		o := hop.Outcome{Cause: cause, Suspect: x.suspect}
		progress := hop.Progress{Silent: true, Kept: x.isKept()}
		if cause == hop.None {
			o.Cause, err = x.attempt()
			progress = hop.Progress{Sent: x.backend.took, Silent: x.silent, Kept: x.isKept()}
			o.Stale = hop.Stale(o.Cause, x.backend.reused, x.silent)
			o.Status = x.response.status
			x.dismiss(o.Cause)
		}
		if err == notQuiet {
			continue
		}
		if o.Stale && hop.MayRepeat(x.record.Method, progress) && x.client.stopped.Load() == 0 {
			x.note(o)
			continue
		}
		x.retries(o.Cause, progress)
		x.note(o)
		x.settle(o, err)
		return o.Cause
	}
}

// note puts the attempt on the record.
func (x *exchange) note(o hop.Outcome) {
	a := records.Attempt{Backend: x.lease.Backend.String(), Cause: o.Cause}
	if x.next.Backend != nil && o.Cause == hop.None {
		a.Status = o.Status
	}
	x.record.Attempts = append(x.record.Attempts, a)
}

// connect takes a connection to the backend: the client's own, an unused one, or
// a new one.
func (x *exchange) connect() (hop.Cause, error) {
	due, u := x.attemptDue(), x.plane.upstreamOf(x.lease.Backend)
	b := x.client.private
	x.client.private = nil
	if b != nil && (b.upstream != u || !u.current(b)) {
		b.shut()
		b = nil
	}
	if b == nil {
		b = u.pop()
	}
	if b == nil {
		ctx, cancel := x.bound(x.plane.ctx)
		defer cancel()
		var failure *hop.Failure
		if b, failure = u.dial(ctx); failure != nil {
			return x.notConnected(ctx, failure)
		}
	}
	b.due.set(due)
	x.backend = b
	return hop.None, nil
}

// notConnected finds whose time was over, or else what the dial says.
func (x *exchange) notConnected(ctx context.Context, failure *hop.Failure) (hop.Cause, error) {
	if over, ok := errors.AsType[*hop.Failure](context.Cause(ctx)); ok {
		return over.Cause, failure.Err
	}
	if x.plane.ctx.Err() != nil {
		return hop.Shutdown, failure
	}
	return failure.Cause, failure.Err
}

// attempt is one try over one connection.
func (x *exchange) attempt() (hop.Cause, error) {
	x.client.peer.Store(x.backend)
	defer x.client.peer.Store(nil)
	if x.plane.ctx.Err() != nil { // which may not have seen this connection
		x.backend.stop(hop.Shutdown)
	}
	if x.backend.upstream.cut.Load() { // nor this
		x.backend.stop(hop.BackendRemoved)
	}
	cause, err := x.send()
	if cause == hop.None {
		cause, err = x.receive()
	}
	if cause == hop.None && !x.prefersAnother() {
		cause, err = x.deliver()
	}
	x.stopUpload()
	return cause, err
}

// isKept reports whether all that was read of the request can be sent again.
func (x *exchange) isKept() bool {
	return x.replayable && x.body.passed <= x.settings.Limits.ReplayBytes
}

// dismiss keeps the connection if it is certain that both messages have ended
// by their own framing and that nothing is behind them, and closes it
// otherwise. This one rule keeps answers from reaching others.
func (x *exchange) dismiss(cause hop.Cause) {
	b := x.backend
	x.backend = nil
	b.reused = true // if it is
	exact := cause == hop.None && x.next.Backend == nil && x.sentWhole && x.content.done && x.content.framing != untilClose && len(b.in.data()) == 0
	switch {
	case !exact || !x.response.reusable() || x.response.status == 101 || b.stopped.Load() != 0:
		b.shut()
	case x.request.login || x.response.login || b.private:
		b.private = true
		b.giveBack()
		x.client.private = b
	default:
		b.upstream.put(b)
	}
}

// settle gives the backend back with what was learned about it: before the
// client can ask again, one that failed is out.
func (x *exchange) settle(o hop.Outcome, err error) {
	x.leased = false
	x.tried = append(x.tried, x.lease.Backend)
	x.suspect = x.settings.Settle(&x.lease, o, err, x.plane.log)
}

// cut sees to it that a client cannot take a part of a response for all of it:
// without a length or chunks only a reset tells (RFC 9112, 8).
func (x *exchange) cut() {
	x.keep = false
	if x.request.minor == 0 {
		x.client.outer.Reset()
	}
}
