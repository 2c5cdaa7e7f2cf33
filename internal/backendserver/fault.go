package backendserver

import (
	"cmp"
	"net/url"
	"time"

	"go-proxy/internal/config"
)

const (
	asAnswered = -1      // the size of an answer that keeps its own body
	maxSize    = 1 << 40 // 1 TiB
	drips      = 10      // pieces that an answer drips in, if not told otherwise
)

// fault is how one answer misbehaves.
type fault struct {
	given   string // the parameters, as they were given
	delay   time.Duration
	status  int // 0: as answered
	size    int64
	chunked bool
	drip    time.Duration
	piece   int64 // 0: a share of the body
	kind    string
}

// ordinary is the fault that changes nothing.
func ordinary() fault { return fault{size: asAnswered} }

// parameters is the one place that names what a request may ask for. Setting
// a row's value changes f.
func (f *fault) parameters() []parameter {
	return []parameter{
		{"delay", "500ms", "waits before the head is sent", config.Duration(&f.delay)},
		{"status", "503", "has this status", config.Int(&f.status, 200, 599)},
		{"size", "1MiB", "has a body of this size instead of the echo", config.Size(&f.size, 0, maxSize)},
		{"chunked", "on", "has no Content-Length", config.Switch(&f.chunked)},
		{"drip", "100ms", "sends the body in pieces, this far apart", config.Duration(&f.drip)},
		{"piece", "1KiB", "the size of such a piece; default: a tenth of the body", config.Size(&f.piece, 1, maxSize)},
		{"fault", "hang", "breaks the answer off, see below", config.OneOf(&f.kind, kindNames()...)},
	}
}

// parseFault reads a fault with one of the parsers; a query without
// parameters is an ordinary fault.
func parseFault(parser func([]parameter, url.Values) error, query url.Values) (fault, error) {
	f := ordinary()
	if err := parser(f.parameters(), query); err != nil {
		return ordinary(), err
	}
	given := make(url.Values)
	for _, name := range names(f.parameters()) {
		if values, found := query[name]; found {
			given[name] = values
		}
	}
	f.given = given.Encode()
	return f, nil
}

// change makes a the answer that the fault asks for.
func (f fault) change(a answer) answer {
	a.status = cmp.Or(f.status, a.status)
	if f.size != asAnswered {
		a.body, a.length = Content(f.size), f.size
		a.fields.Set("Content-Type", textType)
	}
	return a
}

// pieceOf is how much of a body is sent at a time.
func (f fault) pieceOf(length int64) int64 {
	if f.piece > 0 {
		return f.piece
	}
	return max((length+drips-1)/drips, 1)
}
