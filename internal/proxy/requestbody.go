package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

var (
	errBodyTooLarge = errors.New("request body too large")
	errNotKept      = errors.New("request body is too long to be sent again")
	errEnded        = errors.New("exchange has ended")
	errBackendGone  = errors.New("closed before the request was sent")
)

// requestBody is what the client sends, kept from the start as long as it
// fits, so that it can be sent again. Its failures are the client's and are
// never taken for a backend's.
type requestBody struct {
	source   io.Reader
	deadline func(time.Time) error // for the next read
	timeout  time.Duration
	limit    int64 // 0: none
	trailer  http.Header

	mu      sync.Mutex // one reader at a time; held while the client is waited for
	kept    []byte
	keepMax int
	armed   time.Time
	err     error // of the source, for good

	// proceed tells a client that expects it to send the body; nil: not needed.
	proceed func()

	read        atomic.Int64
	done        atomic.Bool             // the client has sent it all
	ended       atomic.Bool             // nobody wants it any more
	interrupted atomic.Bool             // the backend for it is gone
	caused      atomic.Uint32           // a hop.Cause
	attempt     atomic.Pointer[attempt] // whose time begins when all has come; nil: nobody's
}

func newRequestBody(w http.ResponseWriter, r *http.Request, l config.Limits, timeout time.Duration) *requestBody {
	control := http.NewResponseController(w)
	// Else net/http reads the body itself when a response begins, taking it
	// away from a backend that answers early and reads on.
	_ = control.EnableFullDuplex() // fails where it is always so
	if r.ContentLength < 0 && r.Trailer == nil {
		r.Trailer = make(http.Header) // where net/http puts trailers nobody announced
	}
	dropTrailers(r.Trailer)
	b := &requestBody{
		source: r.Body, deadline: control.SetReadDeadline, timeout: timeout,
		limit: l.BodyBytes, keepMax: int(l.ReplayBytes), trailer: r.Trailer,
	}
	return b
}

// reader reads from the start; of several, one may read beyond what is kept.
func (b *requestBody) reader() io.ReadCloser { return &bodyReader{body: b} }

// again is reader for http.Request.GetBody.
func (b *requestBody) again() (io.ReadCloser, error) {
	if !b.replayable() {
		return nil, errNotKept
	}
	return b.reader(), nil
}

// replayable reports whether all that has been read is still kept, and the
// rest can be had.
func (b *requestBody) replayable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.kept)) == b.read.Load() && !b.interrupted.Load()
}

func (b *requestBody) received() int64 { return b.read.Load() }

// failure is the client's failure to send the body, or None.
func (b *requestBody) failure() hop.Cause { return hop.Cause(b.caused.Load()) }

// end stops all readers, and reports whether the client has sent it all.
func (b *requestBody) end() bool {
	b.ended.Store(true)
	return b.done.Load()
}

// interrupt makes a reader that waits for the client return. The body cannot
// be read further then: net/http has given the request up.
func (b *requestBody) interrupt() {
	if b.done.Load() {
		return
	}
	b.interrupted.Store(true)
	_ = b.deadline(time.Unix(1, 0)) // fails only on a closed connection
}

// fill reads from the client. b.mu is held.
func (b *requestBody) fill(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.proceed != nil {
		b.proceed()
		b.proceed = nil
	}
	b.arm()
	n, err := b.source.Read(p)
	total := b.read.Add(int64(n))
	if b.limit > 0 && total > b.limit {
		n, err = 0, errBodyTooLarge
	}
	b.keep(p[:n])
	if err != nil {
		b.finish(err)
	}
	return n, b.errOr(err)
}

// errOr is err, but for a read that was interrupted: that says why.
func (b *requestBody) errOr(err error) error {
	if err != nil && err != io.EOF && b.interrupted.Load() {
		return &hop.Failure{Cause: hop.ResetBeforeResponse, Err: errBackendGone}
	}
	return err
}

// arm moves the deadline for the next read, but not on every read.
func (b *requestBody) arm() {
	if now := time.Now(); now.Sub(b.armed) > b.timeout/8 {
		b.armed = now
		_ = b.deadline(now.Add(b.timeout)) // fails only on a closed connection; so will the read
	}
	if b.interrupted.Load() { // maybe just before
		b.interrupt()
	}
}

func (b *requestBody) keep(p []byte) {
	switch {
	case int64(len(b.kept)+len(p)) == b.read.Load() && len(b.kept)+len(p) <= b.keepMax:
		b.kept = append(b.kept, p...)
	default:
		b.kept = nil
	}
}

// finish notes how the body ended.
func (b *requestBody) finish(err error) {
	b.err = err
	if err == io.EOF {
		dropTrailers(b.trailer)
		if a := b.attempt.Load(); a != nil {
			a.bodyCame()
		}
		b.done.Store(true)
		return
	}
	cause := hop.BadRequest // net/http could not make sense of the chunks
	switch {
	case b.interrupted.Load():
		return
	case err == errBodyTooLarge:
		cause = hop.BodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		cause = hop.ClientTimeout
	case isBroken(err):
		cause = hop.ClientGone
	}
	b.caused.Store(uint32(cause))
}

// dropTrailers takes out what must not come behind the content, and what
// would lie about the hops before.
func dropTrailers(trailer http.Header) {
	for name := range trailer {
		if !hop.AllowedInTrailer(name) {
			delete(trailer, name)
		}
	}
}

// bodyReader is a place in a requestBody.
type bodyReader struct {
	body *requestBody
	at   int64
}

func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	if b.ended.Load() {
		return 0, errEnded
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var n int
	var err error
	switch read := b.read.Load(); {
	case r.at == read:
		n, err = b.fill(p)
	case int64(len(b.kept)) == read:
		n = copy(p, b.kept[r.at:])
	default:
		return 0, errNotKept
	}
	r.at += int64(n)
	return n, err
}

// Close leaves the body to the next reader.
func (r *bodyReader) Close() error { return nil }
