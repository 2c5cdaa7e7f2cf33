//go:build unix

package socket

import (
	"bytes"
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

// reads are those that there are.
var reads = map[string]func(fd uintptr, p []byte) (int, error){"Read": Read, "ReadMuch": ReadMuch}

func TestASocketIsReadAsBySyscall(t *testing.T) {
	for name, read := range reads {
		fd, peer := sockets(t)
		b := make([]byte, 8)
		n, err := read(fd, b)
		require.Equal(t, syscall.EAGAIN, err, "nothing has come: %s", name)
		require.Equal(t, -1, n)
		require.True(t, Quiet(fd))

		_, err = syscall.Write(peer, []byte("ping"))
		require.NoError(t, err)
		require.False(t, Quiet(fd))
		n, err = read(fd, b)
		require.NoError(t, err)
		require.Equal(t, "ping", string(b[:n]), "which the peek has left there: %s", name)
	}
}

func TestASocketIsWrittenAsBySyscall(t *testing.T) {
	for _, size := range []int{1, few, few + 1, 64 << 10} {
		fd, peer := sockets(t)
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		got := make([]byte, size+1)
		n, err := Write(fd, want)
		require.NoError(t, err)
		require.Equal(t, size, n)
		n, err = syscall.Read(peer, got)
		require.NoError(t, err)
		require.Equal(t, want, got[:n])

		for err == nil {
			n, err = Write(fd, want)
		}
		require.Equal(t, syscall.EAGAIN, err, "it is full, and not waited for")
		require.Equal(t, -1, n)
	}
}

func TestTheEndOfASocketIsNoErrorToRead(t *testing.T) {
	fd, peer := sockets(t)
	require.NoError(t, syscall.Shutdown(peer, syscall.SHUT_WR))
	for name, read := range reads {
		n, err := read(fd, make([]byte, 8))
		require.NoError(t, err, name)
		require.Zero(t, n, name)
	}
	require.False(t, Quiet(fd))
}

func TestNoSocketIsAnError(t *testing.T) {
	const none = ^uintptr(0)
	for name, read := range reads {
		_, err := read(none, make([]byte, 8))
		require.Equal(t, syscall.EBADF, err, name)
	}
	for _, size := range []int{1, few + 1} {
		_, err := Write(none, make([]byte, size))
		require.Equal(t, syscall.EBADF, err)
	}
	require.False(t, Quiet(none))
}
