package http1

import (
	"errors"
	"log/slog"

	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// forward tries one backend and answers for it if it fails.
func (x *exchange) forward() {
	if !x.acquire() {
		x.answer(hop.NoBackendAlive)
		return
	}
	if log := x.plane.log; log.Enabled(x.plane.ctx, slog.LevelDebug) {
		log.Debug("picked", "backend", x.lease.Backend, "client", x.client.addr, "method", string(x.record.Method), "path", string(x.record.Path))
	}
	x.compose()
	cause := x.attempts()
	if cause != hop.None && !x.answered {
		x.answer(cause)
		return
	}
	x.record.Cause = cause
	if cause != hop.None {
		x.cut(cause)
	}
}

// acquire takes a lease: of the backend on whose connection the client has
// logged in, or of the next one.
func (x *exchange) acquire() bool {
	if private := x.client.private; private != nil {
		if x.lease, x.leased = x.plane.pool.AcquireThis(private.upstream.backend); x.leased {
			return true
		}
	}
	var err error
	x.lease, err = x.plane.pool.Acquire(x.key())
	x.leased = err == nil
	return x.leased
}

// compose makes what the backend is sent first: the head, and what of the body
// has come with it. The views into the request do not hold any more.
func (x *exchange) compose() {
	u := x.plane.upstreamOf(x.lease.Backend)
	from := peer{addr: x.client.host(), proto: "http"}
	from.trusted = x.settings.trusted.Contains(from.addr)
	r := route{host: x.lease.Backend.URL.Host, prefix: u.prefix, from: &from}
	x.sent = x.request.appendTo(x.sent[:0], &r)
	x.offer = x.offer[:0]
	if x.request.offers() {
		x.offer = hop.AppendUpgrade(x.offer, x.request.upgrade)
	}
	x.body.start(x.request.framing(), x.request.length)
	x.replayable, x.sentWhole = true, false
}

// attempts tries the backend until it is known how that ends: a connection that
// the backend has closed for being unused is replaced as long as the request
// may be sent again.
func (x *exchange) attempts() hop.Cause {
	for {
		cause, err := x.connect()
		stale, again := false, false
		if cause == hop.None {
			cause, err = x.attempt()
			stale = hop.Stale(cause, x.backend.reused, x.silent)
			again = stale && x.mayRepeat()
			x.dismiss(cause)
		}
		r := &x.record
		r.Attempts = append(r.Attempts, records.Attempt{Backend: x.lease.Backend.String(), Cause: cause})
		if !again {
			x.settle(cause, err, stale)
			return cause
		}
	}
}

// connect takes a connection to the backend.
func (x *exchange) connect() (hop.Cause, error) {
	x.backend = nil
	if private := x.client.private; private != nil {
		x.client.private = nil
		if private.upstream.backend == x.lease.Backend && private.quiet() {
			x.backend, private.reused = private, true
			return hop.None, nil
		}
		private.shut()
	}
	b, err := x.plane.upstreamOf(x.lease.Backend).get(x.plane.ctx)
	if err != nil {
		failure, _ := errors.AsType[*hop.Failure](err)
		if x.plane.closing.Load() {
			return hop.Shutdown, err
		}
		return failure.Cause, failure.Err
	}
	x.backend = b
	return hop.None, nil
}

// attempt is one try over one connection.
func (x *exchange) attempt() (hop.Cause, error) {
	x.client.peer.Store(x.backend)
	defer x.client.peer.Store(nil)
	if x.plane.closing.Load() { // which may not have seen this connection
		x.backend.stop(hop.Shutdown)
	}
	if x.backend.upstream.cut.Load() { // nor this
		x.backend.stop(hop.BackendRemoved)
	}
	cause, err := x.send()
	if !x.upload.running {
		x.client.giveBack()
	}
	if cause == hop.None {
		cause, err = x.receive()
	}
	if cause == hop.None {
		cause, err = x.deliver()
	}
	x.stopUpload()
	return cause, err
}

// mayRepeat reports whether the request may be sent again: none of it was sent,
// or carrying it out twice is like once (RFC 9110, 9.2.2) and it was kept.
func (x *exchange) mayRepeat() bool {
	kept := x.replayable && x.body.passed <= x.settings.limits.ReplayBytes
	return kept && (!x.backend.took || hop.Idempotent(x.record.Method)) && x.client.stopped.Load() == 0
}

// dismiss keeps the connection if it is certain that both messages have ended
// by their own framing and that nothing is behind them, and closes it
// otherwise. This one rule keeps answers from reaching others.
func (x *exchange) dismiss(cause hop.Cause) {
	b := x.backend
	x.backend = nil
	exact := cause == hop.None && x.sentWhole && x.content.done && x.content.framing != untilClose && len(b.in.data()) == 0
	switch {
	case !exact || !x.response.reusable() || x.response.status == 101 || b.stopped.Load() != 0:
		b.shut()
	case x.request.login || x.response.login || b.private:
		b.private = true
		b.giveBack()
		x.client.private = b
	default:
		x.plane.upstreamOf(x.lease.Backend).put(b)
	}
}

// settle gives the backend back with what was learned about it: before the
// client can ask again, one that failed is out.
func (x *exchange) settle(cause hop.Cause, err error, stale bool) {
	x.leased = false
	switch hop.Judge(cause, stale) {
	case hop.Answered:
		x.lease.Succeeded()
	case hop.Nothing:
		x.lease.Abandoned()
	case hop.Failed:
		failure := &hop.Failure{Cause: cause, Err: err}
		x.plane.log.Debug("attempt failed", "backend", x.lease.Backend, "reason", failure)
		x.lease.Failed(failure.Error())
	}
}

// cut sees to it that a client cannot take a part of a response for all of it:
// without a length or chunks only a reset tells (RFC 9112, 8).
func (x *exchange) cut(cause hop.Cause) {
	x.keep = false
	if x.content.done || x.record.Status == 101 {
		return
	}
	if x.request.minor == 0 && cause.Party() == hop.Backend {
		x.reset = true
		x.client.outer.Reset()
	}
}
