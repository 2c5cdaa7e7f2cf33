package http1

import (
	"cmp"
	"os"
	"syscall"

	"go-proxy/internal/hop"
)

// receive waits for the response head.
func (x *exchange) receive() (hop.Cause, error) {
	x.beginReceive()
	cause, err := x.readFinal()
	x.backend.due.set(0)
	if ended := x.backend.endRead(); ended != hop.None && cause == hop.None {
		return ended, os.ErrDeadlineExceeded
	}
	return cause, err
}

// readFinal reads the response head, and passes on what comes before it.
func (x *exchange) readFinal() (hop.Cause, error) {
	for interim := 0; ; interim++ {
		if cause, err := x.readResponse(); cause != hop.None {
			return cause, err
		}
		switch status := x.response.status; {
		case status == 101 && !x.response.switchesTo(x.request.offer):
			return hop.BadResponse, badSwitch
		case status >= 200 || status == 101:
			return hop.None, nil
		case interim == x.settings.Limits.Informational:
			return hop.BadResponse, manyInterim
		}
		if cause, err := x.passInterim(); err != nil {
			return orGone(cause), err
		}
	}
}

// beginReceive starts the backend's time, which runs from the end of the
// request, unless ask has.
func (x *exchange) beginReceive() {
	b, now := x.backend, x.plane.sweeper.now.Load()
	if !x.upload.running {
		b.reading.renew(nothing, aResponseHead, now)
		return
	}
	b.reading.begin(theUpload, now)
	if x.upload.finished.Load() { // and maybe has not seen this wait
		b.reading.renew(theUpload, aResponseHead, now)
	}
}

func (x *exchange) readResponse() (hop.Cause, error) {
	head, err := x.backend.readSection(x.settings.response.bytes)
	x.silent = x.silent && len(head) == 0
	if err == longHead {
		return hop.BadResponse, err
	}
	if err != nil {
		if cause := x.backend.endRead(); cause != hop.None {
			return cause, err
		}
		return x.brokenHead(head), err
	}
	if f := x.response.parse(head, mostLines); f != "" {
		return hop.BadResponse, f
	}
	return hop.None, nil
}

// brokenHead is the cause of a head that has not come whole: what cannot become
// one was never HTTP.
func (x *exchange) brokenHead(head []byte) hop.Cause {
	if line, rest := cutLine(head); rest != nil && x.response.parseLine(line) != "" {
		return hop.BadResponse
	}
	return hop.ResetBeforeResponse
}

// passInterim passes on a 1xx response if the client can take it: an HTTP/1.0
// client cannot (RFC 9110, 15.2), and 100 Continue means something only to one
// who asked, and only once.
func (x *exchange) passInterim() (hop.Cause, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.response.status == 100 {
		if !x.request.expects || x.continued {
			return hop.None, nil
		}
		x.continued = true
		x.upload.tell(true)
	}
	if x.request.minor == 0 {
		return hop.None, nil
	}
	x.out = x.response.appendInterim(x.out[:0])
	return x.client.write(theClientToTake, x.out)
}

// deliver sends the response to the client, as it comes.
func (x *exchange) deliver() (hop.Cause, error) {
	if x.response.status == 101 {
		return x.tunnel()
	}
	a := x.beginAnswer()
	for {
		content, f := x.content.take(x.backend, x.settings.response)
		if cause, err := x.pass(content, a); err != nil {
			return orGone(cause), err
		}
		if f != "" {
			return hop.TruncatedByBackend, f
		}
		if x.content.done {
			return hop.None, nil
		}
		if cause, err := x.more(a); cause != hop.None {
			return cause, err
		}
	}
}

// beginAnswer makes the head. The views into the response do not hold any more.
func (x *exchange) beginAnswer() framing {
	x.mu.Lock()
	x.answered = true
	x.mu.Unlock()
	a := x.response.answerTo(x.request.minor, x.record.Method)
	a.date = *x.plane.sweeper.date.Load()
	a.explanation = x.explanation()
	a.closes = a.closes || x.mustClose()
	x.keep = !a.closes
	x.record.Status = x.response.status
	x.content.start(x.response.framing(x.record.Method), x.response.length)
	x.out = x.response.appendTo(x.out[:0], &a)
	return a.framed
}

// fewBytes are copied rather than written by themselves.
const fewBytes = 4 << 10

// pass writes content, with what is due before it, in one write if that needs
// no copy of much. Nothing is due before what is in a pipe.
func (x *exchange) pass(content []byte, framed framing) (cause hop.Cause, err error) {
	out, passed := content, len(content)+x.backend.pipe.size()
	switch {
	case framed == byChunks:
		x.out = x.content.appendChunked(x.out, content)
		out = x.out
	case len(x.out) > 0 && len(content) <= fewBytes:
		x.out = append(x.out, content...)
		out = x.out
	case len(x.out) > 0:
		if out = x.backend.in.behind(x.out, content); out == nil {
			if cause, err = x.client.write(theClientToTake, x.out); err != nil {
				return cause, err
			}
			out = content
		}
	}
	x.out = x.out[:0]
	if len(out) == 0 && passed == 0 {
		return hop.None, nil
	}
	if cause, err = x.client.passOn(theClientToTake, x.backend, out); err == nil {
		x.record.Sent += int64(passed)
	}
	return cause, err
}

// more waits for the next part of the response.
func (x *exchange) more(framed framing) (hop.Cause, error) {
	b := x.backend
	if x.late() {
		return hop.TotalTimeout, os.ErrDeadlineExceeded
	}
	if x.content.left > int64(large.size) && b.full {
		b.enlarge()
	}
	var plain int64
	if framed != byChunks {
		plain = x.content.plain()
	}
	cause, err := b.readFor(&x.client.conn, aResponseBody, plain)
	switch {
	case cause != hop.None || err == nil:
		return cause, err
	case isEnd(err) && x.content.framing == untilClose:
		return x.closed()
	}
	return hop.TruncatedByBackend, err
}

// closed is the end of content that ends with the connection. If that was
// reset, the kernel may have told the upload: it does so once.
func (x *exchange) closed() (hop.Cause, error) {
	x.stopUpload()
	if x.backend.reset {
		return hop.TruncatedByBackend, syscall.ECONNRESET
	}
	x.content.done = true
	return hop.None, nil
}

// orGone is the cause of a failure to write to the client.
func orGone(cause hop.Cause) hop.Cause { return cmp.Or(cause, hop.ClientGone) }
