package accesslog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/accesslog"
	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

const (
	interval = 200 * time.Millisecond
	bound    = 4 << 10
)

var (
	formats = []string{"text", "json"}
	errFull = errors.New("no space left on device")
)

// rig is a log over a scripted output.
type rig struct {
	*accesslog.Log
	script  script
	written buffer // what the output took
	writes  atomic.Int64
	errors  buffer // what the log says of its output
}

// script decides what becomes of one write, the first being 0: how much of it
// is taken, and the error.
type script func(write int, p []byte) (int, error)

func takeAll(_ int, p []byte) (int, error) { return len(p), nil }
func takeNone(int, []byte) (int, error)    { return 0, errFull }

func newRig(format string, s script) *rig {
	return newRigWith(config.Log{Format: format, AccessBuffer: bound, AccessFlush: interval}, s)
}

func newRigWith(c config.Log, s script) *rig {
	r := &rig{script: s}
	r.Log = accesslog.New(writerFunc(r.write), c, slog.New(slog.NewTextHandler(&r.errors, nil)))
	return r
}

// write is the output.
func (r *rig) write(p []byte) (int, error) {
	n, err := r.script(int(r.writes.Add(1)-1), p)
	_, _ = r.written.Write(p[:n])
	return n, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// buffer can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// start runs the log until the returned function is called, which returns
// what Run returned.
func (r *rig) start(t *testing.T) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	unreported := make(chan int)
	go func() { unreported <- r.Run(ctx) }()
	stop = sync.OnceValue(func() int {
		cancel()
		return <-unreported
	})
	t.Cleanup(func() { stop() })
	return stop
}

// observe gives the log n records.
func (r *rig) observe(n int) {
	for i := range n {
		r.Observe(numbered(i))
	}
}

// outages is how often the output was said to fail.
func (r *rig) outages() int { return strings.Count(r.errors.String(), "access log cannot be written") }

// numbered is a record that can be told from others.
func numbered(i int) *exchange.Record {
	r := &exchange.Record{
		Start: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC), Duration: 1234567 * time.Nanosecond,
		Status: 200, Received: 5, Sent: 67,
		Attempts: []exchange.Attempt{{Backend: "http://backend.example:8080"}},
	}
	exchange.SetRequest(r, "192.0.2.1:4321", "GET", fmt.Sprintf("/%06d", i))
	return r
}

// size is the length of the line of a numbered record.
func size(format string) int {
	r := newRig(format, takeAll)
	r.Observe(numbered(0))
	r.runOut()
	return len(r.written.String())
}

// runOut writes what waits, and returns what Run returned.
func (r *rig) runOut() int {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return r.Run(ctx)
}

// tally is what a reader of the log finds in it.
type tally struct {
	lines   map[string]int // by path
	dropped int
	reports int
	torn    []string
}

var (
	textLine   = regexp.MustCompile(`^time=\S{24} client=\S+ method=\S+ path=(\S+) status=\d+ .* cause=-$`)
	textReport = regexp.MustCompile(`^time=\S+ dropped=(\d+)$`)
)

func read(t *testing.T, format, log string) *tally {
	t.Helper()
	found := &tally{lines: make(map[string]int)}
	lines := strings.Split(log, "\n")
	if last := lines[len(lines)-1]; last != "" {
		found.torn = append(found.torn, last) // what does not end is no line
	}
	for _, line := range lines[:len(lines)-1] {
		found.add(t, format, line)
	}
	for path, n := range found.lines {
		require.Equal(t, 1, n, "%s is there %d times", path, n)
	}
	return found
}

func (found *tally) add(t *testing.T, format, line string) {
	path, dropped, ok := parse(format, line)
	switch {
	case !ok:
		found.torn = append(found.torn, line)
	case path != "":
		found.lines[path]++
	default:
		require.Positive(t, dropped, line)
		found.dropped += dropped
		found.reports++
	}
}

// parse reads a line: of a record, or the report of drops.
func parse(format, line string) (path string, dropped int, ok bool) {
	if format == "json" {
		var object struct {
			Path    string
			Dropped int
		}
		err := json.Unmarshal([]byte(line), &object)
		return object.Path, object.Dropped, err == nil
	}
	if m := textLine.FindStringSubmatch(line); m != nil {
		return m[1], 0, true
	}
	if m := textReport.FindStringSubmatch(line); m != nil {
		n, err := strconv.Atoi(m[1])
		return "", n, err == nil
	}
	return "", 0, false
}

// accounts fails the test if a record is neither in the log, nor in its
// reports of drops, nor unreported.
func (r *rig) accounts(t *testing.T, format string, records, unreported int) *tally {
	t.Helper()
	found := read(t, format, r.written.String())
	require.Equal(t, records, len(found.lines)+found.dropped+unreported,
		"%d lines, %d dropped, %d unreported in\n%s", len(found.lines), found.dropped, unreported, r.written.String())
	return found
}

// failure is a record of an exchange that went wrong.
func failure() *exchange.Record {
	r := numbered(1)
	r.Status, r.Cause = 502, hop.BadResponse
	r.Attempts = []exchange.Attempt{{Backend: "http://a:80", Cause: hop.DialRefused}, {Backend: "http://b:80", Cause: hop.BadResponse}}
	return r
}
