package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// output merges what several speakers say, a line at a time, each line with
// its speaker's name before it.
type output struct {
	prefixes map[string]string
	lost     context.CancelCauseFunc // told when nobody can read it any more

	mu sync.Mutex
	w  io.Writer
}

// newOutput writes to file for the speakers named.
func newOutput(file *os.File, names []string, lost context.CancelCauseFunc) *output {
	return &output{prefixes: prefixes(names, wantsColour(file)), lost: lost, w: file}
}

// wantsColour tells whether file is a terminal whose owner has not opted out
// (https://no-color.org).
func wantsColour(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

var colours = []int{36, 35, 34, 32, 33} // no red, for nothing is wrong

func prefixes(names []string, colour bool) map[string]string {
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	prefixes := make(map[string]string)
	for i, name := range names {
		prefix := fmt.Sprintf("%-*s |", width, name)
		if colour {
			prefix = fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[i%len(colours)], prefix)
		}
		prefixes[name] = prefix + " "
	}
	return prefixes
}

// say writes text, which may have several lines, in the name given.
func (o *output) say(name, text string) {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(o.prefixes[name] + strings.TrimSuffix(line, "\n") + "\n")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := io.WriteString(o.w, lines.String()); err != nil {
		o.w = io.Discard // so that what is stopped now can still speak
		o.lost(fmt.Errorf("the output is lost: %w", err))
	}
}

// named returns the writer for one speaker.
func (o *output) named(name string) *lineWriter {
	return &lineWriter{name: name, out: o}
}

// lineWriter passes on whole lines, and keeps the rest until its end comes or
// flush is called.
// It never fails, for that would stop a child for want of a reader.
type lineWriter struct {
	name string
	out  *output
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	if end := bytes.LastIndexByte(w.rest, '\n') + 1; end > 0 {
		w.out.say(w.name, string(w.rest[:end]))
		w.rest = w.rest[:copy(w.rest, w.rest[end:])]
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	w.out.say(w.name, string(w.rest))
	w.rest = nil
}
