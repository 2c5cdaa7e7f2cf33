package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SmallBody is the length of what a Backend answers with unless it is asked
// for another: /bytes/65536.
const SmallBody = 128

// Backend is a server so cheap that what is in front of it is the bottleneck:
// it reads just enough of HTTP/1.1 to answer well-formed requests whose bodies
// have a Content-Length, with an answer made beforehand and no allocation.
type Backend struct {
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	stopping bool
	answers  sync.Map // path to []byte
}

// Serve answers the connections of the listener until that is closed, then
// lets requests under way end.
func (b *Backend) Serve(l net.Listener) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			b.endIdle()
			return
		}
		running.Go(func() { b.serveConn(c) })
	}
}

// endIdle makes the next read of every connection fail.
func (b *Backend) endIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping = true
	for c := range b.conns {
		c.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection
	}
}

func (b *Backend) serveConn(c net.Conn) {
	defer c.Close()
	b.mu.Lock()
	if b.conns == nil {
		b.conns = make(map[net.Conn]struct{})
	}
	b.conns[c] = struct{}{}
	stopping := b.stopping
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, c)
	}()
	r := bufio.NewReaderSize(c, 32<<10)
	for !stopping {
		answer, err := b.request(r)
		if err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// request reads a request and returns the answer to it.
func (b *Backend) request(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	answer := b.answer(line)
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			_, err := r.Discard(length)
			return answer, err
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
}

// answer finds the answer to a request line.
func (b *Backend) answer(line []byte) []byte {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	size, found := bytes.CutPrefix(path, []byte("/bytes/"))
	if !found {
		return smallAnswer
	}
	n, _ := strconv.Atoi(string(size))
	if answer, ok := b.answers.Load(n); ok {
		return answer.([]byte)
	}
	answer, _ := b.answers.LoadOrStore(n, newAnswer(n))
	return answer.([]byte)
}

var smallAnswer = newAnswer(SmallBody)

func newAnswer(n int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		n, strings.Repeat("x", n))
}
