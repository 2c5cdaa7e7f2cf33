package accesslog

import (
	"bytes"
	"context"
	"time"
)

// Run writes until ctx ends, and then what is left. Lines that the output
// refuses count as dropped; it returns how many drops could not be reported in
// the log itself.
func (l *Log) Run(ctx context.Context) (unreported int) {
	tick := time.NewTicker(l.flush)
	defer tick.Stop()
	w := writer{log: l}
	for {
		select {
		case <-ctx.Done():
			w.write()
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.dropped + l.lines
		case <-tick.C:
		case <-l.wake:
		}
		w.write()
	}
}

// tornMark ends a line that the output took in part. It is counted as dropped,
// so nobody may take it for a whole one, wherever it was cut.
const tornMark = " torn\n"

// writer is the goroutine's side of a Log.
type writer struct {
	log    *Log
	buf    []byte // written out, to be swapped for what waits
	torn   bool   // the output took half a line
	failed bool   // said so already
}

func (w *writer) write() {
	lines, dropped := w.take()
	if len(w.buf) == 0 {
		return
	}
	n, err := w.log.out.Write(w.buf)
	if err == nil {
		w.torn, w.failed = false, false
		return
	}
	if !w.failed {
		w.log.errors.Error("access log cannot be written", "error", err)
	}
	w.failed = true
	w.giveBack(w.buf[:max(n, 0)], lines, dropped)
}

// take swaps the waiting lines for the empty buffer, and puts the report of
// drops behind them.
func (w *writer) take() (lines, dropped int) {
	l := w.log
	l.mu.Lock()
	w.buf, l.waiting = l.waiting, w.buf[:0]
	lines, dropped = l.lines, l.dropped
	l.lines, l.dropped = 0, 0
	l.mu.Unlock()
	if dropped > 0 {
		w.buf = l.encode.appendDropped(w.buf, time.Now(), dropped)
	}
	if w.torn && len(w.buf) > 0 {
		w.buf = append([]byte(tornMark), w.buf...)
	}
	return lines, dropped
}

// giveBack counts as dropped what the output did not take.
func (w *writer) giveBack(taken []byte, lines, dropped int) {
	whole := bytes.Count(taken, []byte{'\n'})
	if w.torn && whole > 0 {
		whole-- // that one only ended the torn line
	}
	if len(taken) > 0 {
		w.torn = taken[len(taken)-1] != '\n'
	}
	if whole > lines {
		dropped = 0 // the report was taken, too
	}
	w.log.mu.Lock()
	w.log.dropped += dropped + max(lines-whole, 0)
	w.log.mu.Unlock()
}
