package backendserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bubble is a server in virtual time, over connections in memory. Every Sleep
// of the tests that use it is virtual.
type bubble struct {
	t       *testing.T
	handler *Handler
	server  *server
	stderr  *buffer
	signals chan os.Signal
	result  chan error
	pipes   *pipes
}

func newBubble(t *testing.T) *bubble { return newBubbleFor(t, 30*time.Second) }

func newBubbleFor(t *testing.T, timeout time.Duration) *bubble {
	b := &bubble{
		t: t, handler: NewHandler(testIdentity, true), stderr: new(buffer),
		signals: make(chan os.Signal, 2), result: make(chan error, 1),
		pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	b.server = newServer(b.handler, b.stderr)
	go func() { b.result <- b.server.run(b.pipes, b.signals, timeout) }()
	t.Cleanup(func() { b.server.cut() }) // for a test that failed half-way
	return b
}

func (b *bubble) dial() net.Conn {
	client, server := net.Pipe()
	b.pipes.conns <- server
	b.t.Cleanup(func() { client.Close() })
	return client
}

// stop sends a signal and returns what the server ended with.
func (b *bubble) stop() error {
	b.signals <- syscall.SIGTERM
	return <-b.result
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// flushes records when an answer was flushed, and how long it was then.
type flushes struct {
	httptest.ResponseRecorder
	began time.Time
	seen  []flush
}

type flush struct {
	after time.Duration
	bytes int
}

func (f *flushes) Flush() {
	f.seen = append(f.seen, flush{time.Since(f.began), f.Body.Len()})
}

// record serves one request without a server.
func record(target string) *flushes {
	f := &flushes{ResponseRecorder: *httptest.NewRecorder(), began: time.Now()}
	NewHandler(testIdentity, true).ServeHTTP(f, httptest.NewRequest(http.MethodGet, target, nil))
	return f
}
