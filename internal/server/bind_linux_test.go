package server

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Go sets them on each connection; here the listener hands them down.
func TestAcceptedConnectionsAreKeptAliveAsGoWould(t *testing.T) {
	ours, err := Bind("127.0.0.1:0")
	require.NoError(t, err)
	defer ours.Close()
	gos, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer gos.Close()
	want, got := keepAliveOf(t, gos), keepAliveOf(t, ours)
	require.Equal(t, want, got)
	require.Equal(t, 1, got[syscall.SO_KEEPALIVE])
}

// keepAliveOf are the options, by name, of a connection that l accepts.
func keepAliveOf(t *testing.T, l net.Listener) map[int]int {
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	socket, err := accepted.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	values := make(map[int]int)
	require.NoError(t, socket.Control(func(fd uintptr) {
		for name, level := range map[int]int{syscall.SO_KEEPALIVE: syscall.SOL_SOCKET, syscall.TCP_KEEPIDLE: syscall.IPPROTO_TCP,
			syscall.TCP_KEEPINTVL: syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT: syscall.IPPROTO_TCP} {
			value, err := syscall.GetsockoptInt(int(fd), level, name)
			require.NoError(t, err)
			values[name] = value
		}
	}))
	return values
}
