package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
	"go-proxy/internal/pool"
)

// request is one exchange under way.
type request struct {
	proxy    *Proxy
	settings *settings
	in       *http.Request
	out      responseWriter
	body     *requestBody // nil if the request has none
	attempt  *attempt     // the one under way or made last; nil before
	record   exchange.Record
	room     room

	key      pool.Key
	tried    []*pool.Backend
	suspect  bool   // see hop.Outcome
	explains bool   // to the client how its response came to be
	stop     func() // the clock of the whole exchange; nil: there is none
}

// room is memory for what nearly every exchange needs, so that one allocation
// makes them all.
type room struct {
	attempt  attempt
	attempts [1]exchange.Attempt
	client   [len("255.255.255.255:65535")]byte
	method   [len("OPTIONS")]byte
	path     [64]byte
}

// open begins an exchange.
func (p *Proxy) open(w http.ResponseWriter, r *http.Request) *request {
	x := &request{proxy: p, settings: p.settings.Load(), in: r}
	x.out = responseWriter{inner: w, request: x}
	x.record = exchange.Record{
		Start: time.Now(), Client: x.room.client[:0], Method: x.room.method[:0], Path: x.room.path[:0],
		Attempts: x.room.attempts[:0],
	}
	exchange.SetRequest(&x.record, r.RemoteAddr, r.Method, r.RequestURI)
	if r.ContentLength != 0 {
		x.body = newRequestBody(w, r, x.settings.Limits, x.settings.Timeouts.ClientBody)
		if len(r.Header["Expect"]) > 0 {
			x.body.proceed = x.out.proceed
		}
	}
	return x
}

// end makes the exchange's one Record. It runs deferred, since httputil
// reports a response that breaks off by a panic; that goes on to net/http,
// which cuts the client's connection.
func (x *request) end() {
	panicked := recover()
	if x.attempt != nil {
		x.endAttempt(panicked != nil)
	}
	x.endBody()
	x.endRecord()
	if x.stop != nil {
		x.stop()
	}
	if panicked != nil {
		panic(panicked)
	}
}

func (x *request) endAttempt(panicked bool) {
	if x.out.tunnel != nil {
		x.record.Received = x.out.tunnel.received.Load()
		x.attempt.note(x.interrupted(), nil)
	}
	if panicked {
		x.attempt.note(hop.Internal, nil) // unless a failure is known: that was why
	}
	x.attempt.end()
	x.record.Cause, _ = x.attempt.result()
	if panicked {
		x.endBroken()
	}
}

// endBroken delivers what the backend sent before it broke off. Without chunks
// only a reset tells the client that this is not all (RFC 9112, 8).
func (x *request) endBroken() {
	if x.record.Cause.Party() == hop.Backend {
		_ = x.out.FlushError()
	}
	if c := netconn.FromContext(x.in.Context()); c != nil && !x.in.ProtoAtLeast(1, 1) && x.out.status != 0 {
		c.Reset()
	}
}

func (x *request) endRecord() {
	r := &x.record
	r.Status, r.Sent = x.out.status, x.out.sent.Load()
	if r.Status == 0 {
		r.Status = r.Cause.Status()
	}
	r.Duration = time.Since(r.Start)
	x.proxy.observe(r)
}

// endBody sees to it that what the client still sends of its body is never
// taken for its next request.
func (x *request) endBody() {
	if x.body == nil {
		return
	}
	x.record.Received = x.body.received()
	if !x.body.end() {
		x.stopReading()
	}
}

func (x *request) stopReading() {
	if c := netconn.FromContext(x.in.Context()); c != nil {
		c.StopReading()
	}
}

// forward tries a backend, and others if it may, and answers if all fail.
func (x *request) forward() {
	x.begin()
	lease, cause := x.acquire()
	for cause == hop.None {
		if log := x.proxy.log; log.Enabled(x.in.Context(), slog.LevelDebug) {
			log.Debug("picked", "backend", lease.Backend, "client", x.in.RemoteAddr, "method", x.in.Method, "path", string(x.record.Path))
		}
		x.try(lease)
		cause, _ = x.attempt.result()
		if x.attempt.next.Backend == nil && (cause == hop.None || x.out.status != 0) {
			return
		}
		if cause != hop.None {
			x.retries(cause)
		}
		x.attempt.end() // a backend that failed is out before the client can ask again
		if x.attempt.next.Backend == nil {
			break
		}
		lease, cause = x.attempt.next, hop.None
	}
	x.answer(cause)
}

// try makes one attempt.
func (x *request) try(lease pool.Lease) {
	a := &x.room.attempt
	if x.attempt != nil {
		a = new(attempt)
		x.out.expectInterim()
	}
	x.attempt = a
	a.Context, a.request, a.lease = x.in.Context(), x, lease
	a.upstream = x.proxy.upstreamOf(lease.Backend)
	a.limit(x.settings.Timeouts.Attempt)
	r := x.in.WithContext(a)
	if x.body != nil {
		r.Body, r.GetBody = x.body.reader(), x.body.again
	}
	a.upstream.ServeHTTP(&x.out, r)
}

// answer sends the proxy's own answer for the cause. A client that is gone is
// cut off.
func (x *request) answer(cause hop.Cause) {
	x.record.Cause = cause
	if cause == hop.ClientGone {
		panic(http.ErrAbortHandler)
	}
	if cause.Party() == hop.Client {
		x.stopReading() // what follows cannot be trusted
	}
	writeAnswer(&x.out, x.in.Method, cause, x.settings.RetryAfter(cause))
}

// interrupted is why the backend's connections were cut, or else the cause of
// the end of the request's context, or None. The cut comes first: if a body was
// on its way, net/http takes that for the client's end.
func (x *request) interrupted() hop.Cause {
	if x.attempt != nil && x.attempt.upstream.links.cut.Load() {
		return hop.BackendRemoved
	}
	ctx := x.in.Context()
	if ctx.Err() == nil {
		return hop.None
	}
	if f, ok := errors.AsType[*hop.Failure](context.Cause(ctx)); ok {
		return f.Cause
	}
	return hop.ClientGone // net/http cancels when the client's connection ends
}
