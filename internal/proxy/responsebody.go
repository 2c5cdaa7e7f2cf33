package proxy

import (
	"io"
	"net/http"
	"sync/atomic"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// accept checks what http.Transport lets through, and prepares the response
// for its way back.
func (a *attempt) accept(r *http.Request, response *http.Response) error {
	if err := check(r, response); err != nil {
		return &hop.Failure{Cause: hop.BadResponse, Err: err}
	}
	dropTrailers(response.Trailer)
	delete(response.Header, exchange.ExplainField)
	if response.StatusCode != http.StatusSwitchingProtocols && response.Body != http.NoBody {
		a.response.open(a, response)
	}
	return nil
}

func check(r *http.Request, response *http.Response) error {
	if response.StatusCode < 100 {
		return errBadStatus // net/http would panic on writing it
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		if err := acceptUpgrade(r, response); err != nil {
			return err
		}
	}
	for name, values := range response.Header {
		if !hop.ValidName(name) {
			return errBadName
		}
		for _, v := range values {
			if !hop.ValidValue(v) {
				return errBadValue
			}
		}
	}
	return nil
}

// acceptUpgrade takes a switch to one of the protocols that were offered
// (RFC 9110, 7.8). httputil wants the offer to be that one; and it passes on
// the fields of a 101 as they are.
func acceptUpgrade(r *http.Request, response *http.Response) error {
	protocol := response.Header.Get("Upgrade")
	if protocol == "" || !hop.HasName(r.Header.Get("Upgrade"), protocol) {
		return errSwitched
	}
	stripHopByHop(response.Header)
	response.Header["Connection"] = []string{"Upgrade"}
	response.Header["Upgrade"] = []string{protocol}
	r.Header["Upgrade"] = []string{protocol}
	return nil
}

// responseBody is what the backend sends. It bounds the wait for each part and
// notes why it broke off.
type responseBody struct {
	inner    io.ReadCloser
	response *http.Response
	attempt  *attempt
	progress progress
	stalled  atomic.Bool
}

// open makes it the body of the response. httputil flushes by itself one of
// unknown length.
func (b *responseBody) open(a *attempt, response *http.Response) {
	b.inner, b.response, b.attempt = response.Body, response, a
	timeouts := &a.request.settings.Timeouts
	b.progress.of, b.progress.limit = b, timeouts.BackendBody
	if response.ContentLength >= 0 {
		b.progress.hold = timeouts.Flush
	}
	response.Body = b
}

func (b *responseBody) Read(p []byte) (int, error) {
	b.progress.begin()
	n, err := b.inner.Read(p)
	b.progress.end(err != nil)
	switch err {
	case nil:
	case io.EOF:
		dropTrailers(b.response.Trailer)
	default:
		b.attempt.note(b.classify(), err)
	}
	return n, err
}

func (b *responseBody) flush() {
	_ = b.attempt.request.out.FlushError() // which notes an error
}

func (b *responseBody) stall() {
	b.stalled.Store(true)
	b.inner.Close()
}

func (b *responseBody) classify() hop.Cause {
	if b.stalled.Load() {
		return hop.BackendBodyTimeout
	}
	if cause := b.attempt.request.clientsFault(); cause != hop.None {
		return cause
	}
	return hop.TruncatedByBackend
}

func (b *responseBody) Close() error { return b.inner.Close() }
