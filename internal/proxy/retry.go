package proxy

import (
	"errors"
	"net/http"
	"time"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// errPassedOver is for a response that is not passed on, since another backend
// may have a better one.
var errPassedOver = errors.New("another backend is tried")

// retries takes another backend for a request that has failed, if it may be
// tried there. Of the body it asks last: while a client is waited for that waits,
// too, but then no backend is to blame.
func (x *request) retries(cause hop.Cause) bool {
	a := x.attempt
	return x.triesLeft() && cause.Party() == hop.Backend &&
		hop.MayRetry(x.in.Method, cause, hop.Progress{Sent: a.conn != nil, Silent: a.silent(), Kept: x.isKept()}) && a.takeNext(x.tried)
}

// triesLeft reports whether another backend may be tried after the one that has
// just ended.
func (x *request) triesLeft() bool {
	return len(x.tried) <= x.settings.Retries.Most && x.settings.Retries.Most > 0
}

func (x *request) isKept() bool { return x.body == nil || x.body.replayable() }

// prefersAnother takes another backend for a request whose response is not to be
// passed on, if that may be sent again. A response that comes before the end of
// the request is.
func (a *attempt) prefersAnother(response *http.Response) bool {
	x := a.request
	if !x.settings.RetriesOn(response.StatusCode) || len(x.tried) >= x.settings.Retries.Most || x.body != nil && !x.body.done.Load() {
		return false
	}
	asked := hop.Progress{Sent: true, Silent: true, Kept: x.isKept()}
	return hop.MayRepeat(x.in.Method, asked) && a.takeNext(append(x.tried, a.lease.Backend))
}

// takeNext takes a lease of a backend that was not tried, as far as the budget
// goes.
func (a *attempt) takeNext(tried []*pool.Backend) bool {
	p := a.request.proxy.pool
	if a.request.in.Context().Err() != nil {
		return false
	}
	next, err := p.Acquire(a.request.key, tried...)
	if err != nil {
		return false
	}
	if !p.TakeRetry(time.Now()) {
		next.Abandoned()
		return false
	}
	a.next = next
	return true
}
