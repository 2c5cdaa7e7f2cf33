// Package accesslog writes one line for every exchange without making any
// exchange wait for it.
//
// Observe encodes the line into a bounded buffer; the goroutine of Run swaps
// that for an empty one and writes it out, by size or by tick. When the output
// is too slow for the traffic, lines are dropped, counted, and the count is
// written where they are missing: lines plus drops equal exchanges.
package accesslog

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
)

// Log is an access log.
type Log struct {
	out     io.Writer
	errors  *slog.Logger
	encode  encoder
	query   atomic.Bool
	limit   int // bytes that may wait
	flush   time.Duration
	scratch sync.Pool
	wake    chan struct{}

	mu      sync.Mutex // held for a copy, never for a write
	waiting []byte
	lines   int // in waiting
	dropped int // not yet reported
}

// New makes a log that writes to out; Run starts it. That out fails is said to
// errors.
func New(out io.Writer, s config.Log, errors *slog.Logger) *Log {
	l := &Log{
		out: out, errors: errors, limit: int(s.AccessBuffer), flush: s.AccessFlush,
		wake: make(chan struct{}, 1), encode: text{},
	}
	if s.Format == "json" {
		l.encode = json{}
	}
	l.ShowQuery(s.Query)
	l.scratch.New = func() any { return new([]byte) }
	return l
}

// ShowQuery says whether the query strings appear of exchanges that end from
// now on.
func (l *Log) ShowQuery(show bool) { l.query.Store(show) }

// Observe takes the record's line. It never waits for the output.
func (l *Log) Observe(r *exchange.Record) {
	line := l.scratch.Get().(*[]byte)
	defer l.scratch.Put(line)
	query := r.Query
	if !l.query.Load() {
		query = nil
	}
	*line = l.encode.appendRecord((*line)[:0], r, query)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting)+len(*line) > l.limit {
		l.dropped++
		return
	}
	l.waiting = append(l.waiting, *line...)
	l.lines++
	if len(l.waiting) > l.limit/4 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}
