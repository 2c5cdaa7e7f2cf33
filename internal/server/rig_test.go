package server_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
	"go-proxy/internal/server"
)

const (
	stall = time.Minute
	grace = 30 * time.Second
)

// rig is a Server whose clients come in memory, so that time can be virtual.
type rig struct {
	t           *testing.T
	server      *server.Server
	listener    *memory
	stop, hurry context.CancelFunc
	start       time.Time
	ended       chan end
	done        chan struct{} // closed then
	log         told
}

// end is what Run returned, and when.
type end struct {
	cut   int
	err   error
	after time.Duration // the start, or stop
}

// bubble runs f in virtual time over a server that nobody runs yet.
func bubble(t *testing.T, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, listener: newMemory(), ended: make(chan end, 1), done: make(chan struct{})}
		r.server = server.New(r.listener, stall, grace, slog.New(slog.NewTextHandler(&r.log, nil)))
		defer r.end()
		f(r)
	})
}

func (r *rig) end() {
	if r.stop != nil {
		r.stop()
		r.hurry()
		<-r.done
	}
	r.listener.closeAll()
}

// run has the plane serve.
func (r *rig) run(plane server.Plane) {
	ctx, stop := context.WithCancel(context.Background())
	urgent, hurry := context.WithCancel(context.Background())
	r.stop = func() {
		r.start = time.Now()
		stop()
	}
	r.hurry = hurry
	r.start = time.Now()
	go func() {
		cut, err := r.server.Run(ctx, urgent, plane)
		r.ended <- end{cut, err, time.Since(r.start)}
		close(r.done)
	}()
	synctest.Wait()
}

// told is what has been logged.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns it, and begins anew.
func (l *told) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// memory is a listener whose clients are given to it.
type memory struct {
	clients chan net.Conn
	failed  chan error
	closed  chan struct{}
	once    sync.Once

	mu    sync.Mutex
	peers []net.Conn
}

func newMemory() *memory {
	return &memory{clients: make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.clients:
		return c, nil
	case err := <-m.failed:
		return nil, err
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func (m *memory) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		p.Close()
	}
}

// dial makes a client's connection, and has it accepted.
func (r *rig) dial() *client {
	r.t.Helper()
	ours, theirs := net.Pipe()
	return r.dialOver(ours, theirs)
}

func (r *rig) dialOver(ours, theirs net.Conn) *client {
	r.t.Helper()
	r.listener.mu.Lock()
	r.listener.peers = append(r.listener.peers, theirs)
	r.listener.mu.Unlock()
	select {
	case r.listener.clients <- ours:
	case <-time.After(time.Hour):
		require.FailNow(r.t, "nobody accepts")
	}
	synctest.Wait()
	return &client{Conn: theirs, t: r.t, r: bufio.NewReader(theirs)}
}

// client is the other end.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

// send writes without waiting.
func (c *client) send(text string) {
	go fmt.Fprint(c.Conn, text)
	synctest.Wait()
}

func (c *client) response() *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, nil)
	require.NoError(c.t, err)
	response.Body.Close()
	return response
}

// cut is how long it takes until the connection is closed.
func (c *client) cut() time.Duration {
	start := time.Now()
	for {
		if _, err := c.r.ReadByte(); err != nil {
			return time.Since(start)
		}
	}
}

// plane is a server.Plane that says nothing to clients and notes what is
// asked of it.
type plane struct {
	linger      time.Duration // of Drain, behind its context
	lingerServe time.Duration // of Serve, behind its listener

	mu       sync.Mutex
	listener net.Listener
	conns    []*netconn.Conn
	calls    []string
	drain    context.Context
}

func (p *plane) Serve(l net.Listener) error {
	p.note("Serve")
	defer p.note("Serve ended")
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	for {
		c, err := l.Accept()
		if err == net.ErrClosed {
			time.Sleep(p.lingerServe)
			return nil
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.conns = append(p.conns, c.(*netconn.Conn))
		p.mu.Unlock()
	}
}

func (p *plane) Drain(ctx context.Context) {
	p.note("Drain")
	p.mu.Lock()
	p.drain = ctx
	p.mu.Unlock()
	p.listener.Close()
	<-ctx.Done()
	time.Sleep(p.linger)
	p.note("Drain ended")
}

func (p *plane) Close() {
	p.note("Close")
	for _, c := range p.accepted() {
		c.Close()
	}
}

func (p *plane) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

// noted is what was asked so far, in order.
func (p *plane) noted() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func (p *plane) accepted() []*netconn.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// served is a running server with a plane and n connections to it, which are
// all busy.
func served(r *rig, n int) (*plane, []*netconn.Conn) {
	p := new(plane)
	r.run(p)
	for range n {
		r.dial()
	}
	for _, c := range p.accepted() {
		c.SetBusy(true)
	}
	return p, p.accepted()
}
