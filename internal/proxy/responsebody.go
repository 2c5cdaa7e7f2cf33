package proxy

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go-proxy/internal/hop"
)

// accept checks what http.Transport lets through, and prepares the response
// for its way back.
func (a *attempt) accept(r *http.Request, response *http.Response) error {
	if err := check(r, response); err != nil {
		return &hop.Failure{Cause: hop.BadResponse, Err: err}
	}
	dropTrailers(response.Trailer)
	if response.StatusCode != http.StatusSwitchingProtocols && response.Body != http.NoBody {
		response.Body = &responseBody{inner: response.Body, response: response, attempt: a}
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
	watchdog *time.Timer
	stalled  atomic.Bool
}

func (b *responseBody) Read(p []byte) (int, error) {
	b.watch()
	n, err := b.inner.Read(p)
	b.watchdog.Stop()
	switch err {
	case nil:
	case io.EOF:
		dropTrailers(b.response.Trailer)
	default:
		b.attempt.note(b.classify(), err)
	}
	return n, err
}

// watch starts the time that the next part may take.
func (b *responseBody) watch() {
	limit := b.attempt.request.settings.timeouts.BackendBody
	if b.watchdog != nil {
		b.watchdog.Reset(limit)
		return
	}
	b.watchdog = time.AfterFunc(limit, func() {
		b.stalled.Store(true)
		b.inner.Close()
	})
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
