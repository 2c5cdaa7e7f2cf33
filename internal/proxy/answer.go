package proxy

import (
	"net/http"
	"strconv"

	"go-proxy/internal/hop"
)

// writeAnswer sends an answer of the proxy itself: the status and the cause,
// and nothing that tells of what is behind the proxy.
func writeAnswer(w http.ResponseWriter, method string, cause hop.Cause, retryAfter string) {
	status := cause.Status()
	body := hop.AppendAnswer(nil, cause, http.StatusText(status))
	h := w.Header()
	clear(h) // of an answer that was begun, nothing is left
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if cause.TryLater() {
		h.Set("Retry-After", retryAfter)
	}
	if cause == hop.MethodNotAllowed {
		h.Set("Allow", hop.AllowedMethods)
	}
	if cause.Party() == hop.Client || cause == hop.TotalTimeout {
		h.Set("Connection", "close")
	}
	w.WriteHeader(status)
	if method != http.MethodHead {
		w.Write(body) // an error is the writer's to note
	}
}
