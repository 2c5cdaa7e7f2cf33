//go:build linux && !386

package socket_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"go-proxy/internal/socket"
	"go-proxy/internal/testkit"
)

// The tests of package net for any net.Conn.
func TestAConnectionIsANetConn(t *testing.T) {
	l := listen(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		accepted, client := connect(t, l)
		return accepted, client, func() {
			accepted.Close()
			client.Close()
		}, nil
	})
}

func TestAddressesAreThoseOfPackageNet(t *testing.T) {
	for name, address := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0", "both": "[::]:0"} {
		t.Run(name, func(t *testing.T) {
			inner, err := net.Listen("tcp", address)
			if err != nil {
				t.Skip("there is no IPv6 here:", err)
			}
			l := takeOver(t, inner)
			require.Equal(t, inner.Addr(), l.Addr())
			accepted, client := connect(t, l)
			require.Equal(t, client.LocalAddr().String(), accepted.RemoteAddr().String())
			require.Equal(t, client.RemoteAddr().String(), accepted.LocalAddr().String())
			require.IsType(t, &net.TCPAddr{}, accepted.RemoteAddr())
			require.Equal(t, "tcp", accepted.RemoteAddr().Network())
		})
	}
}

// A client of both families at one listener comes with an address of IPv6.
func TestIPv4AtAListenerForBoth(t *testing.T) {
	inner, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	l := takeOver(t, inner)
	client, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", port(l.Addr())))
	require.NoError(t, err)
	defer client.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	require.Equal(t, client.LocalAddr().String(), accepted.RemoteAddr().String())
	require.Equal(t, "127.0.0.1", accepted.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String())
}

func port(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// option is what get says of the socket.
func option(t *testing.T, c *socket.Conn, get func(fd int) (int, error)) (value int) {
	t.Helper()
	var refused error
	require.NoError(t, raw(c).Control(func(fd uintptr) { value, refused = get(int(fd)) }))
	require.NoError(t, refused)
	return value
}

func TestSmallWritesAreNotDelayed(t *testing.T) {
	accepted, _ := connect(t, listen(t))
	require.Equal(t, 1, option(t, accepted, func(fd int) (int, error) {
		return syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
	}))
}

func TestProgramsThatAreStartedDoNotGetTheSocket(t *testing.T) {
	accepted, _ := connect(t, listen(t))
	require.Equal(t, syscall.FD_CLOEXEC, option(t, accepted, func(fd int) (int, error) {
		flags, _, err := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if err != 0 {
			return 0, err
		}
		return int(flags), nil
	}))
}

func TestCloseWriteSendsAFIN(t *testing.T) {
	accepted, client := connect(t, listen(t))
	require.NoError(t, accepted.CloseWrite())
	_, err := client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)

	_, err = client.Write([]byte("x"))
	require.NoError(t, err)
	n, err := accepted.Read(make([]byte, 2))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestALingerOfZeroMakesCloseAReset(t *testing.T) {
	l := listen(t)
	lingers := func(fd int) (int, error) { return syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_LINGER) }
	accepted, client := connect(t, l)
	require.NoError(t, accepted.SetLinger(0))
	require.Equal(t, 1, option(t, accepted, lingers))
	require.NoError(t, accepted.Close())
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)

	accepted, client = connect(t, l)
	require.NoError(t, accepted.SetLinger(0))
	require.NoError(t, accepted.SetLinger(-1))
	require.Zero(t, option(t, accepted, lingers))
	require.NoError(t, accepted.Close())
	_, err = client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

// What package net's own users decide by.
func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	accepted, client := connect(t, listen(t))
	require.NoError(t, accepted.SetReadDeadline(time.Unix(1, 0)))
	_, err := accepted.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.ErrorIs(t, raw(accepted).Read(func(uintptr) bool { return true }), os.ErrDeadlineExceeded)

	require.NoError(t, accepted.SetReadDeadline(time.Time{}))
	require.NoError(t, client.SetLinger(0))
	require.NoError(t, client.Close())
	_, err = accepted.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, "read", op.Op)
	require.Equal(t, "read tcp "+client.LocalAddr().String()+": connection reset by peer", err.Error())
}

// uses are all that can be asked of a connection.
var uses = map[string]func(c *socket.Conn) error{
	"read":           func(c *socket.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
	"write":          func(c *socket.Conn) error { _, err := c.Write([]byte("x")); return err },
	"close":          func(c *socket.Conn) error { return c.Close() },
	"close write":    func(c *socket.Conn) error { return c.CloseWrite() },
	"linger":         func(c *socket.Conn) error { return c.SetLinger(0) },
	"deadline":       func(c *socket.Conn) error { return c.SetDeadline(time.Time{}) },
	"read deadline":  func(c *socket.Conn) error { return c.SetReadDeadline(time.Time{}) },
	"write deadline": func(c *socket.Conn) error { return c.SetWriteDeadline(time.Time{}) },
	"raw read":       func(c *socket.Conn) error { return raw(c).Read(func(uintptr) bool { return true }) },
	"raw write":      func(c *socket.Conn) error { return raw(c).Write(func(uintptr) bool { return true }) },
	"raw control":    func(c *socket.Conn) error { return raw(c).Control(func(uintptr) {}) },
}

func raw(c *socket.Conn) syscall.RawConn {
	raw, _ := c.SyscallConn()
	return raw
}

func TestAClosedConnectionIsClosedToAll(t *testing.T) {
	l := listen(t)
	for _, waited := range []bool{false, true} {
		for name, use := range uses {
			accepted, _ := connect(t, l)
			if waited {
				require.NoError(t, accepted.SetDeadline(time.Time{}))
			}
			require.NoError(t, accepted.Close())
			err := use(accepted)
			require.ErrorIs(t, err, net.ErrClosed, name)
			require.ErrorContains(t, err, "use of closed network connection", name)
			require.Equal(t, &net.TCPAddr{}, accepted.LocalAddr())
		}
	}
}

// The next connection has its descriptor.
func TestWhatIsAskedOfAClosedConnectionConcernsNoOther(t *testing.T) {
	l := listen(t)
	for name, use := range uses {
		closed, _ := connect(t, l)
		require.NoError(t, closed.Close())
		accepted, client := connect(t, l)
		require.Error(t, use(closed))
		require.Error(t, use(closed))
		_, err := accepted.Write([]byte("x"))
		require.NoError(t, err, name)
		_, err = io.ReadFull(client, make([]byte, 1))
		require.NoError(t, err, name)
		accepted.Close()
	}
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	l := listen(t)
	for name, wait := range map[string]func(c *socket.Conn) error{
		"read":     uses["read"],
		"raw read": func(c *socket.Conn) error { return raw(c).Read(func(uintptr) bool { return false }) },
		"raw write": func(c *socket.Conn) error {
			fill := make([]byte, 1<<20)
			return raw(c).Write(func(fd uintptr) bool {
				for {
					if _, err := socket.Write(fd, fill); err != nil {
						return false
					}
				}
			})
		},
	} {
		accepted, _ := connect(t, l)
		ended := make(chan error)
		go func() { ended <- wait(accepted) }()
		time.Sleep(time.Millisecond) // it may wait by now; if not, it is the test above
		require.NoError(t, accepted.Close())
		select {
		case err := <-ended:
			require.ErrorIs(t, err, net.ErrClosed, name)
		case <-time.After(testkit.Patience):
			require.Fail(t, "still waits", name)
		}
	}
}

// What has got a descriptor never sees it closed, nor that of another.
func TestADescriptorStaysWhileItIsUsed(t *testing.T) {
	l := listen(t)
	for i := range 200 {
		accepted, client := connect(t, l)
		if i%2 == 0 {
			require.NoError(t, accepted.SetDeadline(time.Time{}))
		}
		want := client.LocalAddr().(*net.TCPAddr).Port
		var using sync.WaitGroup
		for range 4 {
			using.Go(func() {
				var err error
				for err == nil {
					err = raw(accepted).Control(func(fd uintptr) {
						peer, err := syscall.Getpeername(int(fd))
						require.NoError(t, err)
						require.Equal(t, want, peer.(*syscall.SockaddrInet4).Port)
					})
				}
				require.ErrorIs(t, err, net.ErrClosed)
			})
		}
		for range 2 {
			using.Go(func() {
				if err := accepted.Close(); !errors.Is(err, net.ErrClosed) {
					require.NoError(t, err)
				}
			})
		}
		using.Wait()
	}
}
