package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// heads are the statuses sent, informational ones included.
type heads struct {
	*httptest.ResponseRecorder
	sent []int
}

func (h *heads) WriteHeader(status int) { h.sent = append(h.sent, status) }

// The head of the answer may be on its way by then, in another goroutine.
func TestNobodyIsToldToContinueOnceTheAnswerIsKnown(t *testing.T) {
	in := httptest.NewRequest("POST", "/", nil)
	in.Header.Set("Expect", "100-continue")
	for _, known := range []bool{false, true} {
		h := &heads{ResponseRecorder: httptest.NewRecorder()}
		w := responseWriter{inner: h, request: &request{in: in}}
		if known {
			w.expectHead()
		}
		w.proceed()
		require.Equal(t, !known, len(h.sent) == 1 && h.sent[0] == http.StatusContinue)
	}
}
