package http1

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// exchange is one request under way. It is lent to a connection from the first
// byte of the request to the last of the response, with all that they need.
type exchange struct {
	plane    *Plane
	settings *settings
	client   *client
	record   records.Record
	request  requestHead
	body     body // of the request

	lease  pool.Lease
	leased bool
	next   pool.Lease // of the backend to be tried after this one; its Backend is nil if there is none
	tried  []*pool.Backend

	from      peer      // who the client is
	ends      time.Time // the exchange at the latest, if there is a limit
	policyKey pool.Key
	suspect   bool // see hop.Outcome
	backend   *conn
	silent    bool // the backend has sent nothing since it was asked

	raw, kept  []byte // the head as it came: a view, and a copy if there may be retries
	sent       []byte // to the backend, from the start
	headEnd    int    // in sent
	replayable bool   // sent is all that was sent
	sentWhole  bool   // the whole request was
	part       []byte // what is sent and not kept
	upload     upload

	response responseHead
	content  body   // of the response
	out      []byte // to the client
	explains bool   // to the client how its response came to be
	keep     bool   // the client's connection, for another request

	mu        sync.Mutex // of what goes to the client before the final head
	continued bool       // 100 Continue was sent
	answered  bool       // the final head was, or is next
}

// upload is the goroutine that sends what of a request body has not come with
// the head.
type upload struct {
	running  bool        // it was started and not yet awaited
	read     atomic.Bool // all has come from the client
	finished atomic.Bool
	stopping atomic.Bool
	ended    chan struct{}
	proceed  chan bool // whether to send a body that waits to be asked for
}

func newExchange(p *Plane) any {
	x := &exchange{plane: p}
	x.upload.ended = make(chan struct{}, 1)
	x.upload.proceed = make(chan bool, 1)
	return x
}

// open begins an exchange.
func (p *Plane) open(c *client) *exchange {
	x := p.exchanges.Get().(*exchange)
	x.client, x.settings = c, p.settings.Load()
	x.record.Start = time.Now()
	x.request.reset()
	x.body.start(noBody, 0)
	x.content.start(noBody, 0)
	x.keep, x.answered, x.leased = false, false, false
	x.continued, x.suspect, x.explains = false, false, false
	return x
}

// mostKept is the memory that an exchange keeps for the next one.
const mostKept = 64 << 10

// close gives the memory back.
func (x *exchange) close() {
	x.client.outer.SetBusy(false)
	x.client, x.backend, x.lease, x.raw = nil, nil, pool.Lease{}, nil
	clear(x.tried)
	x.tried = x.tried[:0]
	x.record.Reset()
	if cap(x.sent)+cap(x.part)+cap(x.out)+cap(x.kept) > mostKept {
		x.sent, x.part, x.out, x.kept = nil, nil, nil, nil
	}
	x.plane.exchanges.Put(x)
}

// run is the story of an exchange. It reports whether the connection may carry
// another.
func (x *exchange) run() (keep bool) {
	cause, quiet := x.readHead()
	if quiet {
		return false
	}
	x.client.outer.SetBusy(true)
	records.SetRequest(&x.record, nil, x.request.method, x.request.target)
	x.record.Client = append(x.record.Client[:0], x.client.addr...)
	if cause == hop.None {
		cause = x.refuse()
	}
	if cause == hop.None {
		x.begin()
		cause = x.forward()
		x.client.due.set(0)
	}
	x.record.Cause = cause
	if cause != hop.None && x.answered {
		x.cut()
	} else if cause != hop.None {
		x.answer(cause)
	}
	x.finish()
	return x.keep
}

// readHead reads and parses the request head. It is quiet about a client that
// leaves, or is left, before it has sent one: there was no request.
func (x *exchange) readHead() (cause hop.Cause, quiet bool) {
	c := x.client
	c.reading.begin(aRequestHead, c.sweeper.now.Load())
	head, err := c.readSection(x.settings.head.bytes)
	ended := c.endRead()
	if err == longHead {
		return x.oversized(head), false
	}
	if err != nil || ended != hop.None {
		return ended, ended != hop.ClientTimeout
	}
	x.raw = head
	return x.parse(head), false
}

func (x *exchange) parse(head []byte) hop.Cause {
	f := x.request.parse(head, x.settings.head.lines)
	if f == "" {
		x.body.start(x.request.framing(), x.request.length)
		return hop.None
	}
	x.plane.log.Debug("request refused", "client", x.client.addr, "reason", f)
	if f == tooManyLines {
		return hop.HeaderTooLarge
	}
	return hop.BadRequest
}

// oversized finds what of a head is too large: the target, or the rest.
func (x *exchange) oversized(head []byte) hop.Cause {
	line, _ := cutLine(head)
	if len(line) == len(head) { // not even this has come whole
		line = append(line[:len(line):len(line)], " HTTP/1.1"...)
	}
	if f := x.request.parseLine(line); f == "" && int64(len(x.request.target)) > x.settings.Limits.TargetBytes {
		return hop.TargetTooLong
	}
	return hop.HeaderTooLarge
}

// refuse says why a request must not be forwarded, or None.
func (x *exchange) refuse() hop.Cause {
	h, most := &x.request, x.settings.Limits.BodyBytes
	if cause := hop.RefuseTarget(h.method, h.target, x.settings.Limits.TargetBytes); cause != hop.None {
		return cause
	}
	switch {
	case most > 0 && h.length > most:
		return hop.BodyTooLarge
	case h.unknownExpect:
		return hop.ExpectationFailed
	case h.framing() != noBody && len(h.offer) > 0: // whether such a body is HTTP would depend on the backend
		return hop.BadRequest
	}
	return hop.None
}

// answer sends the proxy's own answer for the cause, unless nobody is there to
// take it.
func (x *exchange) answer(cause hop.Cause) {
	x.keep = false
	if cause == hop.ClientGone || x.plane.ctx.Err() != nil {
		return
	}
	x.keep = cause.Party() != hop.Client && cause != hop.TotalTimeout && cause != hop.Internal && !x.mustClose()
	x.out = x.appendAnswer(x.out[:0], cause)
	_, err := x.client.write(theClientToTake, x.out)
	x.keep = x.keep && err == nil
}

func (x *exchange) appendAnswer(dst []byte, cause hop.Cause) []byte {
	status := cause.Status()
	phrase := http.StatusText(status)
	dst = appendStatusLine(dst, x.request.minor, status, phrase)
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"...)
	dst = appendField(dst, "Date", *x.plane.sweeper.date.Load())
	if cause.TryLater() {
		dst = appendField(dst, "Retry-After", x.settings.RetryAfter(cause))
	}
	if cause == hop.MethodNotAllowed {
		dst = appendField(dst, "Allow", hop.AllowedMethods)
	}
	if !x.keep {
		dst = appendField(dst, "Connection", "close")
	}
	dst = appendExplanation(dst, x.explanation())
	var scratch [128]byte
	text := hop.AppendAnswer(scratch[:0], cause, phrase)
	dst = append(appendLength(dst, int64(len(text))), "\r\n"...)
	if string(x.record.Method) == "HEAD" {
		return dst
	}
	x.record.Sent = int64(len(text))
	return append(dst, text...)
}

// mustClose reports whether the client's connection ends with this exchange.
// HTTP/1.0 clients may have meant something else (RFC 9112, 6.1).
func (x *exchange) mustClose() bool {
	return x.request.closes || x.request.minor == 0 || x.plane.draining.Load() || !x.bodyRead()
}

// bodyRead reports whether all of the request has come.
func (x *exchange) bodyRead() bool {
	if x.upload.running {
		return x.upload.read.Load()
	}
	return x.body.done
}

// finish makes the exchange's one record. What the client still sends of a
// request that was answered is never taken for its next one; nobody waits for
// its end when all is cut.
func (x *exchange) finish() {
	r := &x.record
	if r.Status == 0 {
		r.Status = r.Cause.Status()
	}
	r.Received = x.body.passed
	r.Duration = time.Since(r.Start)
	x.plane.observe(r)
	if !x.keep && x.plane.ctx.Err() == nil && (!x.body.done || r.Cause.Party() == hop.Client || len(x.client.in.data()) > 0) {
		x.client.outer.StopReading()
	}
}

// abandon ends an exchange that has panicked.
func (x *exchange) abandon() {
	if x.leased {
		x.lease.Abandoned()
	}
	if x.next.Backend != nil {
		x.next.Abandoned()
		x.next = pool.Lease{}
	}
	if x.backend != nil {
		x.stopUpload() // it has what is to be given back
		x.backend.shut()
	}
	x.record.Cause = hop.Internal
	if x.answered {
		x.cut()
	}
	x.finish()
	x.client.outer.SetBusy(false)
}
