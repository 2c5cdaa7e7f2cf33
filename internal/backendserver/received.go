package backendserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// received is what is kept of a request's body: enough to compare it with
// what the client sent.
type received struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// receive reads the body to its end and keeps none of it.
func receive(w *patientWriter, r *http.Request) (received, error) {
	digest := sha256.New()
	n, err := io.Copy(digest, patientReader{r.Body, w.rc})
	if err != nil {
		// The deadline stays: net/http goes on reading for a while after
		// the answer, and must not wait for ever.
		return received{}, fmt.Errorf("after %d bytes of the body: %w", n, err)
	}
	w.rc.SetReadDeadline(time.Time{}) // else the client would seem to go while its answer is delayed
	return received{n, hex.EncodeToString(digest.Sum(nil))}, nil
}

// unreadable answers a request whose body cannot be read to its end. net/http
// then closes the connection, since nobody knows where the next one begins.
func unreadable(err error) answer {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return textAnswer(http.StatusRequestTimeout, fmt.Sprintf("nothing came for %v\n", stall))
	}
	return textAnswer(http.StatusBadRequest, err.Error()+"\n")
}
