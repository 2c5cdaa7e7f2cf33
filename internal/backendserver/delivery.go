package backendserver

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// delivery sends one answer with one fault. What ends it early panics with
// http.ErrAbortHandler, so that net/http closes the connection: an answer cut
// short must never look whole.
type delivery struct {
	w        http.ResponseWriter
	r        *http.Request
	answer   answer
	fault    fault
	released <-chan struct{}
}

func (d *delivery) run() {
	d.answer = d.fault.change(d.answer)
	d.wait(d.fault.delay)
	for _, k := range kinds {
		if k.name == d.fault.kind {
			k.run(d)
			return
		}
	}
	d.send(d.answer.length)
}

// send sends the head, and the first n bytes of the body where there is one.
func (d *delivery) send(n int64) {
	d.sendHead()
	if !d.answer.hasContent(d.r.Method) {
		return
	}
	body := io.LimitReader(d.answer.body, n)
	if d.fault.drip == 0 {
		_, err := io.Copy(d.w, body)
		d.check(err)
		return
	}
	d.sendInPieces(body, n)
}

// sendHead leaves it to net/http to drop the Content-Length where a status
// forbids it. Without one, the flush keeps net/http from working it out.
func (d *delivery) sendHead() {
	maps.Copy(d.w.Header(), d.answer.fields)
	if !d.fault.chunked {
		d.w.Header().Set("Content-Length", strconv.FormatInt(d.contentLength(), 10))
	}
	d.w.WriteHeader(d.answer.status)
	if d.fault.chunked {
		d.flush()
	}
}

// contentLength is what a GET would be sent, also for HEAD.
func (d *delivery) contentLength() int64 {
	if !d.answer.hasContent(http.MethodGet) {
		return 0
	}
	return d.answer.length
}

func (d *delivery) sendInPieces(body io.Reader, n int64) {
	piece := d.fault.pieceOf(d.answer.length)
	for sent := int64(0); sent < n; sent += piece {
		if sent > 0 {
			d.wait(d.fault.drip)
		}
		if _, err := io.CopyN(d.w, body, piece); !errors.Is(err, io.EOF) { // the last one may be smaller
			d.check(err)
		}
		d.flush()
	}
}

func (d *delivery) flush() { d.check(http.NewResponseController(d.w).Flush()) }

// check ends the delivery when the client takes no more.
func (d *delivery) check(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// wait pauses, or ends the delivery with the request.
func (d *delivery) wait(pause time.Duration) {
	if pause == 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}
