//go:build unix

package socket

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// sockets is a pair of them, of which a read of the first does not wait.
func sockets(t *testing.T) (fd uintptr, peer int) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.SetNonblock(pair[0], true))
	t.Cleanup(func() {
		syscall.Close(pair[0])
		syscall.Close(pair[1])
	})
	return uintptr(pair[0]), pair[1]
}

func TestASocketIsReadAndWrittenAsBySyscall(t *testing.T) {
	fd, peer := sockets(t)
	b := make([]byte, 8)

	n, err := Read(fd, b)
	require.Equal(t, syscall.EAGAIN, err, "nothing has come")
	require.Equal(t, -1, n)
	require.True(t, Quiet(fd))

	_, err = syscall.Write(peer, []byte("ping"))
	require.NoError(t, err)
	require.False(t, Quiet(fd))
	n, err = Read(fd, b)
	require.NoError(t, err)
	require.Equal(t, "ping", string(b[:n]), "which the peek has left there")

	n, err = Write(fd, []byte("pong"))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	n, err = syscall.Read(peer, b)
	require.NoError(t, err)
	require.Equal(t, "pong", string(b[:n]))
}

func TestASocketThatIsFullIsNotWaitedFor(t *testing.T) {
	fd, _ := sockets(t)
	piece := make([]byte, 64<<10)
	for {
		n, err := Write(fd, piece)
		if err != nil {
			require.Equal(t, syscall.EAGAIN, err)
			require.Equal(t, -1, n)
			return
		}
		require.Positive(t, n)
	}
}

func TestTheEndOfASocketIsNoErrorToRead(t *testing.T) {
	fd, peer := sockets(t)
	require.NoError(t, syscall.Shutdown(peer, syscall.SHUT_WR))
	n, err := Read(fd, make([]byte, 8))
	require.NoError(t, err)
	require.Zero(t, n)
	require.False(t, Quiet(fd))
}

func TestNoSocketIsAnError(t *testing.T) {
	const none = ^uintptr(0)
	_, err := Read(none, make([]byte, 8))
	require.Equal(t, syscall.EBADF, err)
	_, err = Write(none, []byte("x"))
	require.Equal(t, syscall.EBADF, err)
	require.False(t, Quiet(none))
}
