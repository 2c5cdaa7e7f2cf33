//go:build linux && !386

package socket

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/testkit"
)

// Who asks once and leaves is never registered with Go's poller; who is waited
// for again is, once.
func TestThePollerIsToldOfWhoIsWaitedFor(t *testing.T) {
	l := listen(t)
	c, client := connect(t, l)
	begun := make(chan struct{})
	c.Begin(func() { close(begun) })
	go l.Accept() // until l is closed
	_, err := io.WriteString(client, "ask")
	require.NoError(t, err)
	<-begun

	raw, _ := c.SyscallConn()
	b := make([]byte, 8)
	read := func(fd uintptr) bool {
		_, err := Read(fd, b)
		return err != syscall.EAGAIN
	}
	require.NoError(t, raw.Read(read))
	require.Equal(t, "ask", string(b[:3]))
	require.NoError(t, raw.Write(func(fd uintptr) bool {
		_, err := Write(fd, []byte("answer"))
		return err == nil
	}))
	require.NoError(t, raw.Control(func(uintptr) {}))
	require.NoError(t, c.CloseWrite())
	require.Nil(t, c.waiter.Load())
	require.Equal(t, 2, watched(t, l), "the listener and c")

	waited := make(chan error)
	go func() { waited <- raw.Read(read) }()
	require.Eventually(t, func() bool { return c.waiter.Load() != nil }, testkit.Patience, time.Millisecond)
	_, err = io.WriteString(client, "more")
	require.NoError(t, err)
	require.NoError(t, <-waited)
	require.Equal(t, "more", string(b[:4]))
	require.Equal(t, 1, watched(t, l), "one poller is told of what comes now")
	first := c.waiter.Load()
	require.NoError(t, client.Close())
	require.NoError(t, raw.Read(read))
	require.Same(t, first, c.waiter.Load())
	require.NoError(t, c.Close())
}

func listen(t *testing.T) *Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l, err := Listen(inner.(*net.TCPListener))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.(*Listener)
}

func connect(t *testing.T, l *Listener) (accepted *Conn, client net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	inner, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { inner.Close() })
	return inner.(*Conn), client
}

// watched is how many sockets the epoll of the newcomers has (proc_pid_fdinfo(5)).
func watched(t *testing.T, l *Listener) int {
	t.Helper()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.newcomers.fd))
	require.NoError(t, err)
	return strings.Count(string(info), "tfd:")
}

// Not every kernel sets it for a listening socket, and has what is accepted
// inherit it.
func TestEachConnectionIsToldNotToDelayWhereTheListenerCannotBe(t *testing.T) {
	l := listen(t)
	require.False(t, l.delays)
	require.NoError(t, syscall.SetsockoptInt(l.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0))
	for _, delays := range []bool{false, true} {
		l.delays = delays
		c, _ := connect(t, l)
		set, err := syscall.GetsockoptInt(c.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
		require.NoError(t, err)
		require.Equal(t, delays, set != 0)
	}
}
