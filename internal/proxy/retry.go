package proxy

import (
	"errors"
	"net/http"
	"time"

	"go-proxy/internal/hop"
)

// errPassedOver is for a response that is not passed on, since another backend
// may have a better one.
var errPassedOver = errors.New("another backend is tried")

// retries takes another backend for a request that has failed, if it may be
// tried there. Of the body it asks last: while a client is waited for that waits,
// too, but then no backend is to blame.
func (x *request) retries(cause hop.Cause) {
	a := x.attempt
	if cause.Party() == hop.Backend && x.triesLeft() &&
		hop.MayRetry(x.in.Method, cause, hop.Progress{Sent: a.conn != nil, Silent: a.silent(), Kept: x.isKept()}) {
		a.takeNext()
	}
}

// triesLeft reports whether another backend may be tried after this one.
func (x *request) triesLeft() bool { return len(x.tried) < x.settings.Retries.Most }

func (x *request) isKept() bool { return x.body == nil || x.body.replayable() }

// prefersAnother takes another backend for a request whose response is not to be
// passed on, if that may be sent again. A response that comes before the end of
// the request is.
func (a *attempt) prefersAnother(response *http.Response) bool {
	x := a.request
	if !x.settings.RetriesOn(response.StatusCode) || !x.triesLeft() || x.body != nil && !x.body.done.Load() {
		return false
	}
	asked := hop.Progress{Sent: true, Silent: true, Kept: x.isKept()}
	return hop.MayRepeat(x.in.Method, asked) && a.takeNext()
}

// takeNext takes a lease of a backend that was not tried, before this one is
// given back: who waits in the queue is not to take the request's place.
func (a *attempt) takeNext() (ok bool) {
	x := a.request
	if x.in.Context().Err() != nil {
		return false
	}
	a.next, ok = a.lease.Another(time.Now(), x.key, append(x.tried, a.lease.Backend)...)
	return ok
}
