package http1

import (
	"time"

	"go-proxy/internal/hop"
)

// triesLeft reports whether another backend may be tried after this one.
func (x *exchange) triesLeft() bool { return len(x.tried) < x.settings.Retries.Most }

// retries takes another backend for a request that has failed, if it may be
// tried there.
func (x *exchange) retries(cause hop.Cause, progress hop.Progress) {
	if cause != hop.None && !x.answered && hop.MayRetry(x.record.Method, cause, progress) {
		x.takeNext()
	}
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
	return hop.MayRepeat(x.record.Method, asked) && x.takeNext()
}

// takeNext takes a lease of a backend that was not tried, before this one is
// given back: who waits in the queue is not to take the request's place.
func (x *exchange) takeNext() (ok bool) {
	if !x.triesLeft() || x.client.stopped.Load() != 0 || x.late() {
		return false
	}
	x.next, ok = x.lease.Another(time.Now(), x.policyKey, append(x.tried, x.lease.Backend)...)
	return ok
}
