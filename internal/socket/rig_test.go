//go:build linux && !386

package socket_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/socket"
	"go-proxy/internal/testkit"
)

// listen is a listener of this package.
func listen(t testing.TB) *socket.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return takeOver(t, inner)
}

func takeOver(t testing.TB, inner net.Listener) *socket.Listener {
	t.Helper()
	l, err := socket.Listen(inner.(*net.TCPListener))
	require.NoError(t, err)
	ours, ok := l.(*socket.Listener)
	require.True(t, ok, "it is not package net's")
	t.Cleanup(func() { ours.Close() })
	return ours
}

// connect returns a connection that l accepts, and its client.
func connect(t testing.TB, l net.Listener) (accepted *socket.Conn, client *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	a, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a.(*socket.Conn), c.(*net.TCPConn)
}

// begins has l look after c, and says when that begins.
func begins(c *socket.Conn) <-chan struct{} {
	begun := make(chan struct{}) // closed twice, it panics
	c.Begin(func() { close(begun) })
	return begun
}

func await(t testing.TB, begun <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-begun:
	case <-time.After(testkit.Patience):
		require.Fail(t, "has not begun", why)
	}
}

func waits(t testing.TB, begun <-chan struct{}) {
	t.Helper()
	select {
	case <-begun:
		require.Fail(t, "has begun")
	default:
	}
}
