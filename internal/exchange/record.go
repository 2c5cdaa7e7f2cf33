// Package exchange holds the Record: all that is known about one request,
// from its first byte to its last, with all attempts. A plane fills it,
// observers get it once, at the end.
//
// It knows no net/http type, and a Record owns its bytes: a plane that reuses
// its read buffer fills it by copying.
package exchange

import (
	"strconv"
	"time"

	"go-proxy/internal/hop"
)

// Record is one exchange. It can be reused after Reset.
type Record struct {
	Start    time.Time
	Duration time.Duration

	Client []byte // address and port
	Method []byte
	Path   []byte // as the client sent it, without the query
	Query  []byte // without the "?"

	Status   int   // sent, or what would have been sent (499)
	Received int64 // bytes of the request's content
	Sent     int64 // bytes of the response's content

	Attempts []Attempt
	Cause    hop.Cause
}

// Attempt is one try at one backend.
type Attempt struct {
	Backend string
	Cause   hop.Cause // how it ended; None: answered
	Status  int       // of a response that another was preferred to; 0: none
}

// Outcome names how the attempt ended.
func (a Attempt) Outcome() string {
	switch {
	case a.Cause != hop.None:
		return a.Cause.String()
	case a.Status != 0:
		return strconv.Itoa(a.Status)
	}
	return "answered"
}

// Backend is the one tried last, or "".
func (r *Record) Backend() string {
	if len(r.Attempts) == 0 {
		return ""
	}
	return r.Attempts[len(r.Attempts)-1].Backend
}

// Reset empties the record and keeps its memory.
func (r *Record) Reset() {
	clear(r.Attempts)
	*r = Record{
		Client: r.Client[:0], Method: r.Method[:0], Path: r.Path[:0], Query: r.Query[:0],
		Attempts: r.Attempts[:0],
	}
}

// SetRequest copies what the request line and the connection say. The
// authority of an absolute-form target is left out: it may hold a password.
func SetRequest[S hop.Text](r *Record, client, method, target S) {
	r.Client = append(r.Client[:0], client...)
	r.Method = append(r.Method[:0], method...)
	target, _ = hop.Target(method, target)
	path := 0
	for path < len(target) && target[path] != '?' {
		path++
	}
	r.Path = append(r.Path[:0], target[:path]...)
	r.Query = append(r.Query[:0], target[min(path+1, len(target)):]...)
}

// Observer is told of every exchange when it has ended. The record is the
// observer's only until it returns.
type Observer func(*Record)
