package http1

import (
	"cmp"
	"os"
	"time"

	"go-proxy/internal/hop"
)

// send sends what there is of the request, in one write, and leaves the rest of
// it to a goroutine: the backend may answer before it has come. A write that
// fails is no failure yet, for there may be such an answer.
func (x *exchange) send() (hop.Cause, error) {
	if !x.request.expects && !x.body.done {
		if cause := x.frame(&x.sent); cause != hop.None {
			return cause, nil
		}
	}
	b := x.backend
	b.took, x.silent = false, true
	if x.body.done {
		x.client.giveBack()
		if b.socket != nil {
			return x.ask()
		}
	}
	if b.reused && !b.quiet() {
		return hop.ResetBeforeResponse, notQuiet
	}
	cause, err := b.write(theBackendToTake, x.sent)
	x.sentWhole = err == nil && x.body.done
	if err == nil && !x.body.done {
		x.startUpload()
	}
	return cause, err
}

// ask is send for a request of which all is there. It also waits for the first
// of what comes then.
func (x *exchange) ask() (hop.Cause, error) {
	b := x.backend
	b.reading.begin(aResponseHead, x.plane.sweeper.now.Load())
	rest, err := b.ask(x.sent)
	if err == nil && len(rest) == 0 {
		x.sentWhole = true
		return hop.None, nil // the wait goes on, for a whole head
	}
	if cause := b.endRead(); cause != hop.None {
		return cause, cmp.Or(err, os.ErrDeadlineExceeded)
	}
	if err != nil {
		return hop.ResetBeforeResponse, err
	}
	cause, err := b.write(theBackendToTake, rest)
	x.sentWhole = err == nil
	return cause, err
}

// frame appends what has come of the body to dst.
func (x *exchange) frame(dst *[]byte) hop.Cause {
	content, f := x.body.take(&x.client.conn, x.settings.head)
	if f != "" {
		return hop.BadRequest
	}
	if most := x.settings.Limits.BodyBytes; most > 0 && x.body.passed > most {
		return hop.BodyTooLarge
	}
	if x.body.framing == byChunks {
		*dst = x.body.appendChunked(*dst, content)
	} else {
		*dst = append(*dst, content...)
	}
	return hop.None
}

func (x *exchange) startUpload() {
	u := &x.upload
	u.running = true
	x.backend.due.set(0) // until all has come
	u.read.Store(false)
	u.finished.Store(false)
	u.stopping.Store(false)
	select {
	case <-u.proceed: // of another exchange
	default:
	}
	if x.continued { // for the attempt before
		u.proceed <- true
	}
	x.client.class = medium
	go x.sendBody()
}

// sendBody is the goroutine of an upload. Why the client failed to send ends
// the wait for the backend, too; that the backend takes no more does not.
func (x *exchange) sendBody() {
	cause := x.pump()
	if cause != hop.None && !x.upload.stopping.Load() {
		x.backend.stop(cause)
	}
	x.backend.due.set(x.attemptDue()) // what the client took is not the backend's
	x.upload.finished.Store(true)
	x.backend.reading.renew(theUpload, aResponseHead, x.plane.sweeper.now.Load())
	x.upload.ended <- struct{}{}
}

func (x *exchange) pump() (cause hop.Cause) {
	defer func() {
		if x.plane.caught(recover()) {
			cause = hop.Internal
		}
	}()
	if x.request.expects && !x.awaitContinue() {
		return hop.None
	}
	c := x.client
	for {
		part, cause := x.nextPart()
		if cause != hop.None {
			return cause
		}
		if x.late() {
			return hop.TotalTimeout
		}
		if x.body.done {
			x.upload.read.Store(true)
		}
		if cause, err := x.backend.passOn(theBackendToTake, &c.conn, part); err != nil || x.body.done {
			x.sentWhole = err == nil
			return cause
		}
		c.giveBack() // for a larger one
		if cause, err := c.readFor(x.backend, aRequestBody, x.plain()); cause != hop.None || x.upload.stopping.Load() {
			return cause
		} else if err != nil {
			return hop.ClientGone
		}
	}
}

// nextPart is what has come of the body, framed. It is kept, so that it can be
// sent again, where that may be necessary, and as long as it is not too much.
func (x *exchange) nextPart() ([]byte, hop.Cause) {
	if x.keeps() {
		start := len(x.sent)
		cause := x.frame(&x.sent)
		return x.sent[start:], cause
	}
	x.replayable = x.replayable && len(x.client.in.data()) == 0 && x.client.pipe == nil
	if x.body.framing == byLength { // as it is
		content, _ := x.body.take(&x.client.conn, x.settings.head)
		return content, hop.None
	}
	x.part = x.part[:0]
	cause := x.frame(&x.part)
	return x.part, cause
}

// keeps reports whether what comes of the body now is kept.
func (x *exchange) keeps() bool {
	return (x.backend.reused || x.triesLeft()) && hop.Idempotent(x.record.Method) && x.isKept()
}

// plain is how much may be to come that is neither framed nor kept.
func (x *exchange) plain() int64 {
	if x.keeps() {
		return 0
	}
	return x.body.plain()
}

// awaitContinue waits until the body is asked for. Not every backend asks, so
// that in the end the proxy does (RFC 9110, 10.1.1).
func (x *exchange) awaitContinue() bool {
	timer := time.NewTimer(x.settings.Timeouts.ExpectContinue)
	defer timer.Stop()
	select {
	case proceed := <-x.upload.proceed:
		return proceed
	case <-timer.C:
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered || x.continued || x.request.minor == 0 {
		return true
	}
	x.continued = true
	_, err := x.client.write(theClientToTake, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err == nil
}

// tell says whether to send a body that waits to be asked for. What was said
// first counts.
func (u *upload) tell(proceed bool) {
	select {
	case u.proceed <- proceed:
	default:
	}
}

// stopUpload ends the goroutine of an upload and waits for it.
func (x *exchange) stopUpload() {
	u := &x.upload
	if !u.running {
		return
	}
	u.stopping.Store(true)
	u.tell(false)
	interrupt, more := !u.finished.Load(), !u.read.Load()
	if interrupt {
		x.backend.Conn.SetWriteDeadline(longAgo)
	}
	if interrupt && more {
		x.client.Conn.SetReadDeadline(longAgo)
	}
	<-u.ended
	if interrupt { // it may just have ended by itself; stop is seen without deadlines
		x.backend.Conn.SetWriteDeadline(time.Time{})
		x.client.Conn.SetReadDeadline(time.Time{})
	}
	u.running = false
	x.client.class = small
}
