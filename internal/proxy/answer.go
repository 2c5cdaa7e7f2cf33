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
	body := strconv.Itoa(status) + " " + http.StatusText(status) + ": " + cause.String() + "\n"
	h := w.Header()
	clear(h) // of an answer that was begun, nothing is left
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	switch cause {
	case hop.NoBackendAlive, hop.Shutdown, hop.BackendRemoved:
		h.Set("Retry-After", retryAfter)
	case hop.MethodNotAllowed:
		h.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") // RFC 9110, 15.5.6
	}
	if cause.Party() == hop.Client {
		h.Set("Connection", "close")
	}
	w.WriteHeader(status)
	if method != http.MethodHead {
		w.Write([]byte(body)) // an error is the writer's to note
	}
}
