package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
	"go-proxy/internal/pool"
)

// attempt is one try at one backend. It is also the context of the request
// that is sent, which leads back to it.
type attempt struct {
	context.Context // of the client's request
	request         *request
	lease           pool.Lease
	upstream        *upstream

	conn          *netconn.Conn // the backend's; nil before there is one
	reused        bool          // conn has carried requests before
	spoke         atomic.Bool   // the backend has sent something since it was asked
	informational int           // 1xx responses seen
	response      responseBody  // here for the sake of one allocation less
	closed        func()        // told when conn is closed
	ended         bool

	status int        // of the response, if there was one
	next   pool.Lease // of the backend to be tried after this one; its Backend is nil if there is none

	cancel  context.CancelCauseFunc // this and the next for an attempt that has a limit
	clock   *time.Timer
	allowed time.Duration
	state   atomic.Uint32

	mu    sync.Mutex // failures are noted by whoever meets them
	cause hop.Cause
	err   error
}

// attemptKey finds the attempt in the context of the request sent.
type attemptKey struct{}

// Value implements context.Context.
func (a *attempt) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// note keeps the first failure: what follows from it is no news.
func (a *attempt) note(cause hop.Cause, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cause == hop.None {
		a.cause, a.err = cause, err
	}
}

// result is how the attempt has gone so far.
func (a *attempt) result() (hop.Cause, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cause, a.err
}

// end gives the backend back with what was learned about it. Later calls do
// nothing.
func (a *attempt) end() {
	if a.ended {
		return
	}
	a.ended = true
	if a.closed != nil {
		a.conn.ForgetClose(&a.closed)
	}
	a.endLimit()
	cause, err := a.result()
	passedOver := 0
	if a.next.Backend != nil && cause == hop.None {
		passedOver = a.status
	}
	a.log(cause, passedOver)
	a.settle(hop.Outcome{Cause: cause, Status: a.status, Stale: a.stale(cause), Suspect: a.request.suspect}, err)
}

func (a *attempt) settle(o hop.Outcome, err error) {
	x := a.request
	if x.settings.Retries.Most > 0 {
		x.tried = append(x.tried, a.lease.Backend)
	}
	x.suspect = x.settings.Settle(&a.lease, o, err, x.proxy.log)
}

// log adds the attempt to the record. The status is that of a response that was
// passed over.
func (a *attempt) log(cause hop.Cause, status int) {
	r := &a.request.record
	r.Attempts = append(r.Attempts, exchange.Attempt{Backend: a.lease.Backend.String(), Cause: cause, Status: status})
}

func (a *attempt) stale(cause hop.Cause) bool { return hop.Stale(cause, a.reused, a.silent()) }

// silent reports whether the backend has sent nothing since it was asked.
func (a *attempt) silent() bool { return !a.spoke.Load() }

// watch adds to the trace that httputil made for this request. A trace of our
// own would be composed with it by reflection, on every request.
func (a *attempt) watch(trace *httptrace.ClientTrace) {
	relay := trace.Got1xxResponse
	trace.Got1xxResponse = func(code int, header textproto.MIMEHeader) error {
		if a.informational++; a.informational > a.request.settings.Limits.Informational {
			return &hop.Failure{Cause: hop.BadResponse, Err: errTooManyInformational}
		}
		a.request.out.mu.Lock() // relay uses the header map
		defer a.request.out.mu.Unlock()
		return relay(code, header)
	}
	trace.GotConn = a.gotConn
	trace.GotFirstResponseByte = func() { a.spoke.Store(true) }
}

// gotConn is told of the connection that is used. A second one means that the
// request has met a stale one before, and goes again.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	if a.conn != nil {
		a.log(hop.ResetBeforeResponse, 0)
	}
	var inner net.Conn = info.Conn
	if t, ok := inner.(*tls.Conn); ok {
		inner = t.NetConn()
	}
	a.reused = info.Reused
	if a.conn, _ = inner.(*netconn.Conn); a.conn == nil {
		return
	}
	a.spoke.Store(false)
	if a.request.body != nil && !a.reused { // one that was stale may be replaced when the body has come
		a.closed = a.backendClosed
		a.conn.NotifyClose(&a.closed)
	}
}

// backendClosed ends the wait for the client's body when the backend has ended
// the connection without an answer: http.Transport reports that only when the
// body's reader has returned.
func (a *attempt) backendClosed() {
	if a.silent() && a.request.in.Context().Err() == nil {
		a.request.body.interrupt()
	}
}
