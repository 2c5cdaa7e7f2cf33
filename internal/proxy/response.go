package proxy

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/exchange"

	"go-proxy/internal/hop"
)

// responseWriter is the way back to the client. It counts, keeps out what may
// not cross this hop, and notes that the client is gone.
type responseWriter struct {
	inner   http.ResponseWriter
	request *request
	status  int // of the final response; 0 before
	sent    atomic.Int64
	tunnel  *tunnel     // after an upgrade
	clock   *time.Timer // of the whole exchange, which a tunnel does not have; nil: none
	begun   atomic.Bool // status is set

	mu        sync.Mutex // 1xx responses come from goroutines of http.Transport
	proceeded bool       // 100 Continue was sent
	headDue   bool       // no 1xx responses any more
}

func (w *responseWriter) Header() http.Header { return w.inner.Header() }

// WriteHeader sends the head of an informational or the final response.
func (w *responseWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.informational(status)
		return
	}
	w.status = status
	w.begun.Store(true)
	h := w.Header()
	if _, has := h["Content-Type"]; !has {
		h["Content-Type"] = nil // else net/http guesses one
	}
	// The rest of a body may never come (RFC 9112, 9.3); and net/http takes a
	// body in chunks for none if the client speaks HTTP/1.0 (RFC 9112, 6.1).
	if body := w.request.body; body != nil && !body.done.Load() || !w.request.in.ProtoAtLeast(1, 1) {
		h.Set("Connection", "close")
	}
	if w.request.explains {
		h[exchange.ExplainField] = w.request.explanation()
	}
	w.inner.WriteHeader(status)
}

// endWrites ends the wait for a client to take its response.
func (w *responseWriter) endWrites() {
	_ = http.NewResponseController(w.inner).SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed connection
}

// informational passes on a 1xx response if the client can take it: an
// HTTP/1.0 client cannot (RFC 9110, 15.2), and 100 Continue means something
// only to one who asked, and only once. w.mu is held.
func (w *responseWriter) informational(status int) {
	r := w.request.in
	isContinue := status == http.StatusContinue
	if !r.ProtoAtLeast(1, 1) || isContinue && (w.proceeded || r.Header.Get("Expect") == "") {
		return
	}
	w.proceeded = w.proceeded || isContinue
	stripHopByHop(w.Header())
	w.inner.WriteHeader(status)
}

// proceed tells the client to send its body, unless that is decided already.
// Left to itself net/http does that, too, but unaware of other 1xx responses.
func (w *responseWriter) proceed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.headDue {
		w.informational(http.StatusContinue)
	}
}

// expectInterim lets it begin, for another attempt.
func (w *responseWriter) expectInterim() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headDue = false
}

// expectHead ends the time of 1xx responses.
func (w *responseWriter) expectHead() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headDue = true
}

// stripHopByHop takes out what ends at this hop (RFC 9110, 7.6.1).
func stripHopByHop(h http.Header) {
	connection := h["Connection"]
	for name := range h {
		if hop.IsHopByHop(name) || isNominated(connection, name) {
			delete(h, name)
		}
	}
}

func isNominated(connection []string, name string) bool {
	for _, v := range connection {
		if hop.HasName(v, name) {
			return true
		}
	}
	return false
}

func (w *responseWriter) Write(p []byte) (int, error) {
	n, err := w.inner.Write(p)
	w.sent.Add(int64(n))
	return n, w.noteGone(err)
}

// FlushError is what http.ResponseController.Flush calls.
func (w *responseWriter) FlushError() error {
	return w.noteGone(http.NewResponseController(w.inner).Flush())
}

// noteGone notes that the client does not take its response.
func (w *responseWriter) noteGone(err error) error {
	a := w.request.attempt
	if err == nil || a == nil {
		return err
	}
	cause := clientFailure(err)
	if why := w.request.interrupted(); why.Party() == hop.Proxy {
		cause = why
	}
	a.note(cause, err)
	return err
}
