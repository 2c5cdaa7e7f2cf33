package health_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/health"
	"go-proxy/internal/pool"
)

// All tests of this package run with an outbound proxy in the environment, for
// net/http reads it once per process. A probe that minded it would dial it.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		os.Setenv(name, "http://outbound-proxy.test:3128")
	}
	os.Exit(m.Run())
}

// peer is the other end of in-memory connections. What it does with one is its
// script, which is told the number of the connection, counted from 0.
type peer struct {
	script func(conn net.Conn, n int)

	mu     sync.Mutex
	dialed []string // hosts
	got    []*http.Request
	start  time.Time
	ended  []time.Duration // when connections did
}

func newPeer(script func(p *peer, conn net.Conn, n int)) *peer {
	p := &peer{start: time.Now()}
	p.script = func(conn net.Conn, n int) { script(p, conn, n) }
	return p
}

func (p *peer) dial(_ context.Context, b *pool.Backend) (net.Conn, error) {
	client, server := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.dialed)
	p.dialed = append(p.dialed, b.URL.Host)
	go func() {
		p.script(server, n)
		server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = append(p.ended, time.Since(p.start))
	}()
	return client, nil
}

// dials is the hosts of the backends that were dialed.
func (p *peer) dials() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.dialed)
}

// ends is when connections ended.
func (p *peer) ends() []time.Duration {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ended)
}

func (p *peer) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// receive reads a request, or says that there is none.
func (p *peer) receive(from *bufio.Reader) bool {
	request, err := http.ReadRequest(from)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, request)
	return true
}

// answers answers each request with the same bytes, on as many connections as
// there are.
func answers(raw string) func(*peer, net.Conn, int) {
	return func(p *peer, conn net.Conn, _ int) {
		for from := bufio.NewReader(conn); p.receive(from); {
			if _, err := io.WriteString(conn, raw); err != nil {
				return
			}
		}
	}
}

// once answers the first request of each connection and closes it.
func once(raw string) func(*peer, net.Conn, int) {
	return func(p *peer, conn net.Conn, _ int) {
		p.receive(bufio.NewReader(conn))
		io.WriteString(conn, raw)
	}
}

// stuck answers with the beginning of an answer and no more.
func stuck(beginning string) func(*peer, net.Conn, int) {
	return func(p *peer, conn net.Conn, _ int) {
		p.receive(bufio.NewReader(conn))
		io.WriteString(conn, beginning)
		io.Copy(io.Discard, conn)
	}
}

// then answers with first, and with more again and again, pausing between, as
// long as anybody takes it.
func then(first, more string, pause time.Duration) func(*peer, net.Conn, int) {
	return func(p *peer, conn net.Conn, _ int) {
		if !p.receive(bufio.NewReader(conn)) {
			return
		}
		for next := first; ; next = more {
			if _, err := io.WriteString(conn, next); err != nil {
				return
			}
			conn.SetReadDeadline(time.Now().Add(pause)) // a pause, but for a peer that leaves
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

// prober is a health.HTTP that meets a peer.
type prober struct {
	*health.HTTP
	*peer
	timeout time.Duration
}

// probe makes one probe, with the timeout the Checker would give it.
func (p *prober) probe() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	return p.Probe(ctx)
}

// meet has f probe http://backend.test:8081, which behaves as scripted, in a
// bubble. Whatever either of them started must have ended by itself, once the
// prober is closed.
func meet(t *testing.T, s config.Health, script func(*peer, net.Conn, int), f func(*testing.T, *prober)) {
	t.Helper()
	meetAt(t, "http://backend.test:8081", s, script, f)
}

func meetAt(t *testing.T, backend string, s config.Health, script func(*peer, net.Conn, int), f func(*testing.T, *prober)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		peer := newPeer(script)
		h := health.NewHTTP(backendOf(t, backend), s, peer.dial)
		defer func() { // also after a failure, which must not be hidden by what it left
			h.Close()
			require.Len(t, peer.ends(), len(peer.dials()), "a connection is left")
		}()
		f(t, &prober{h, peer, s.Timeout})
	})
}

func backendOf(t *testing.T, raw string) *pool.Backend {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return pool.New([]config.Backend{{URL: u}}, pool.Settings{}, nil).Backends()[0]
}

// chunked frames a body of n bytes without giving its length away.
func chunked(n int) string {
	const size = 1 << 12
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for ; n >= size; n -= size {
		b.WriteString("1000\r\n" + strings.Repeat("x", size) + "\r\n")
	}
	for ; n > 0; n-- {
		b.WriteString("1\r\nx\r\n")
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}
