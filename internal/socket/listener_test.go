//go:build linux && !386

package socket_test

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/socket"
	"go-proxy/internal/testkit"
)

func TestAcceptTakesAllInTurn(t *testing.T) {
	l := listen(t)
	var clients []net.Conn
	for range 200 { // more than have a turn
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		clients = append(clients, c)
	}
	for _, c := range clients {
		accepted, err := l.Accept()
		require.NoError(t, err)
		defer accepted.Close()
		require.Equal(t, c.LocalAddr().String(), accepted.RemoteAddr().String())
	}
}

func TestCloseEndsAccept(t *testing.T) {
	l := listen(t)
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	time.Sleep(time.Millisecond) // it may wait by now
	require.NoError(t, l.Close())
	select {
	case err := <-ended:
		require.ErrorIs(t, err, net.ErrClosed)
	case <-time.After(testkit.Patience):
		require.Fail(t, "still waits")
	}
	_, err := l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, l.Close(), net.ErrClosed)
	require.ErrorIs(t, l.SetDeadline(time.Now()), net.ErrClosed)
	_, err = net.Dial("tcp", l.Addr().String())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestADeadlineEndsAccept(t *testing.T) {
	l := listen(t)
	require.NoError(t, l.SetDeadline(time.Unix(1, 0)))
	_, err := l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())

	require.NoError(t, l.SetDeadline(time.Time{}))
	connect(t, l)
}

// Linux lets them be accepted, and tells of the end then.
func TestClientsWhoHaveLeftAreNoError(t *testing.T) {
	l := listen(t)
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).SetLinger(0))
		require.NoError(t, c.Close())
	}
	who, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer who.Close()
	for left := 0; left <= 3; left++ {
		accepted, err := l.Accept()
		require.NoError(t, err)
		defer accepted.Close()
		if accepted.RemoteAddr().String() == who.LocalAddr().String() {
			return
		}
		_, err = accepted.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	require.Fail(t, "who is there was not accepted")
}

// Package net says of it that it passes, which has the proxy try again.
func TestTooFewDescriptorsIsATemporaryError(t *testing.T) {
	l := listen(t)
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()

	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: before.Max}))
	_, err = l.Accept()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
	require.ErrorIs(t, err, syscall.EMFILE)
	require.Equal(t, "accept tcp "+l.Addr().String()+": accept4: too many open files", err.Error())
	var temporary interface{ Temporary() bool }
	require.ErrorAs(t, err, &temporary)
	require.True(t, temporary.Temporary())

	accepted, err := l.Accept()
	require.NoError(t, err, "it waits no less")
	accepted.Close()
}

func TestAListenerThatIsClosedIsNone(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, inner.Close())
	_, err = socket.Listen(inner.(*net.TCPListener))
	require.ErrorIs(t, err, net.ErrClosed)
}
