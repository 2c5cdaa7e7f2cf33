package stack

import (
	"strings"
	"syscall"
	"testing"
)

// ready is the line that tells that the proxy takes traffic, in either form of
// its log.
const ready = `msg(?:=|":")ready(?: |",")address(?:=|":")([^\s"]+)`

// Proxy is the proxy of a stack.
type Proxy struct {
	t        testing.TB
	instance instance
	Addr     string // for clients
}

func newProxy(t testing.TB, h host, env map[string]string) *Proxy {
	p := &Proxy{t: t, instance: h.proxy(env)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("proxy's log:\n%s\nproxy's access log:\n%s", p.Log(), p.AccessLog())
		}
	})
	p.instance.start()
	return p
}

// find learns the address, which is known when the proxy is ready.
func (p *Proxy) find() { p.Addr = p.instance.addr() }

// Log is what the proxy has logged.
func (p *Proxy) Log() string { return p.instance.stderr().String() }

// AccessLog is the lines about requests.
func (p *Proxy) AccessLog() string { return p.instance.stdout().String() }

// AwaitLog waits until the log matches, and returns the last submatch.
func (p *Proxy) AwaitLog(pattern string) string {
	p.t.Helper()
	return p.instance.stderr().Await(p.t, pattern)
}

// AwaitAccess waits until the access log matches, and returns the last
// submatch.
func (p *Proxy) AwaitAccess(pattern string) string {
	p.t.Helper()
	return p.instance.stdout().Await(p.t, pattern)
}

// AwaitLines waits until the access log has n whole lines, or more.
func (p *Proxy) AwaitLines(n int) {
	p.t.Helper()
	p.instance.stdout().Until(p.t, func(log string) bool { return strings.Count(log, "\n") >= n }, "no %d lines in the access log", n)
}

// Signal sends SIGTERM or SIGINT.
func (p *Proxy) Signal(s syscall.Signal) { p.instance.signal(s) }

// Exit is the exit code, when the proxy has ended.
func (p *Proxy) Exit() int { return p.instance.wait() }

// PID is that of the proxy's process.
func (p *Proxy) PID() int { return p.instance.pid() }

// Record is one line of the access log by key.
type Record map[string]string

// Records are the lines of the access log so far.
func (p *Proxy) Records() []Record {
	var records []Record
	for line := range strings.Lines(p.AccessLog()) {
		records = append(records, recordOf(line))
	}
	return records
}

func recordOf(line string) Record {
	r := make(Record)
	for pair := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(pair, "=")
		r[key] = value
	}
	return r
}

// AwaitRecord waits for the access line of a path, which tests choose to be
// unique, and returns it.
func (p *Proxy) AwaitRecord(path string) Record {
	p.t.Helper()
	var line string
	p.instance.stdout().Until(p.t, func(log string) (found bool) {
		line, found = lineWith(log, " path="+path+" ")
		return found
	}, "no access line for %s", path)
	return recordOf(line)
}

// lineWith is the first line with the text, if it is whole. There may be very
// many.
func lineWith(lines, text string) (line string, found bool) {
	i := strings.Index(lines, text)
	if i < 0 {
		return "", false
	}
	length := strings.IndexByte(lines[i:], '\n')
	if length < 0 {
		return "", false
	}
	return lines[strings.LastIndexByte(lines[:i], '\n')+1 : i+length], true
}
