package http1

import (
	"time"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// triesLeft reports whether another backend may be tried after this one.
func (x *exchange) triesLeft() bool { return len(x.tried) < x.settings.Retries.Most }

// retries takes another backend for a request that has failed, if it may be
// tried there.
func (x *exchange) retries(cause hop.Cause) bool {
	return hop.MayRetry(x.record.Method, cause, x.progress) && x.takeNext(x.tried)
}

// prefersAnother takes another backend for a request whose response is not to be
// passed on, if that may be sent again. A response that comes before the end of
// the request is.
func (x *exchange) prefersAnother() bool {
	if !x.settings.RetriesOn(x.response.status) || !x.triesLeft() || x.upload.running && !x.upload.finished.Load() {
		return false
	}
	x.stopUpload()
	asked := hop.Progress{Sent: true, Silent: true, Kept: x.isKept()}
	return hop.MayRepeat(x.record.Method, asked) && x.takeNext(append(x.tried, x.lease.Backend))
}

// takeNext takes a lease of a backend that was not tried, as far as the budget
// goes.
func (x *exchange) takeNext(tried []*pool.Backend) bool {
	p, most := x.plane.pool, x.settings.Retries.Most
	if most == 0 || len(tried) > most || x.client.stopped.Load() != 0 || x.late() {
		return false
	}
	next, err := p.Acquire(x.policyKey, tried...)
	if err != nil {
		return false
	}
	if !p.TakeRetry(time.Now()) {
		next.Abandoned()
		return false
	}
	x.next = next
	return true
}
