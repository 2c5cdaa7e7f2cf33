// Package testkit has peers for tests that need more than an http.Client or an
// httptest.Server can be made to do: half a head, a reset, two lengths, bytes
// behind an Upgrade, a body that stops.
package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience bounds every wait of a peer. It is what a broken program costs a
// test, never what a working one takes.
const Patience = 10 * time.Second

// Peer is one end of a TCP connection, byte for byte.
type Peer struct {
	net.Conn
	R *bufio.Reader
	t testing.TB
}

// Dial connects to a server as a raw client.
func Dial(t testing.TB, addr string) *Peer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	require.NoError(t, err)
	return NewPeer(t, conn)
}

// NewPeer is the raw client's end of a connection, which ends with the test.
func NewPeer(t testing.TB, conn net.Conn) *Peer {
	p := newPeer(t, conn)
	t.Cleanup(func() { p.Close() })
	return p
}

func newPeer(t testing.TB, conn net.Conn) *Peer {
	_ = conn.SetDeadline(time.Now().Add(Patience))
	return &Peer{Conn: conn, R: bufio.NewReader(conn), t: t}
}

// Script serves connections with the script, each in a goroutine of its own,
// and returns the address. It ends, and is awaited, with the test.
func Script(t testing.TB, script func(*Peer)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &scripted{t: t, script: script, listener: listener}
	s.running.Go(s.accept)
	t.Cleanup(s.stop)
	return listener.Addr().String()
}

// Send writes text as it is. That the other side has gone shows in what it
// got, not here.
func (p *Peer) Send(text string) { _, _ = io.WriteString(p, text) }

// Sendf is Send with a format.
func (p *Peer) Sendf(format string, args ...any) { p.Send(fmt.Sprintf(format, args...)) }

// Head reads up to and including an empty line; "" if the connection ended
// before the first byte.
func (p *Peer) Head() string {
	var head strings.Builder
	for {
		line, err := p.R.ReadString('\n')
		head.WriteString(line)
		if err != nil || strings.TrimRight(line, "\r\n") == "" {
			return head.String()
		}
	}
}

// Take reads n bytes, or fewer if the connection ends.
func (p *Peer) Take(n int) string {
	buf := make([]byte, n)
	n, _ = io.ReadFull(p.R, buf)
	return string(buf[:n])
}

// Rest reads until the connection ends, and returns how it did: nil for a FIN.
func (p *Peer) Rest() (string, error) {
	rest, err := io.ReadAll(p.R)
	return string(rest), err
}

// Response reads one response with its body.
func (p *Peer) Response(method string) (*http.Response, string) {
	p.t.Helper()
	request, err := http.NewRequest(method, "http://test/", nil)
	require.NoError(p.t, err)
	response, err := http.ReadResponse(p.R, request)
	require.NoError(p.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response, string(body)
}

// Request reads one request with its body.
func (p *Peer) Request() (*http.Request, string) {
	p.t.Helper()
	request, err := http.ReadRequest(p.R)
	if err != nil {
		return nil, ""
	}
	body, err := io.ReadAll(request.Body)
	require.NoError(p.t, err)
	return request, string(body)
}

// WholeRequest is Request where the other side may leave in the middle of a
// body: the request is nil then.
func (p *Peer) WholeRequest() (*http.Request, string) {
	request, err := http.ReadRequest(p.R)
	if err != nil {
		return nil, ""
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, ""
	}
	return request, string(body)
}

// Reset ends the connection with an RST.
func (p *Peer) Reset() {
	_ = p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

// CloseWrite sends a FIN.
func (p *Peer) CloseWrite() { _ = p.Conn.(*net.TCPConn).CloseWrite() }

// AwaitEnd reads until the other side ends the connection.
func (p *Peer) AwaitEnd() { _, _ = io.Copy(io.Discard, p.R) }
