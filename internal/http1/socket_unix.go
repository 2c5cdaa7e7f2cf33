//go:build unix

package http1

import "syscall"

// rawIO says that sockets are read and written directly, which shows progress
// and needs no buffer to wait.
const rawIO = true

func readFD(fd uintptr, p []byte) (int, error) {
	for {
		n, err := sysRead(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func writeFD(fd uintptr, p []byte) (int, error) {
	for {
		n, err := sysWrite(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// peekNothing reports whether the socket is open and has nothing to read.
func peekNothing(fd uintptr) bool { return sysPeek(fd) == syscall.EAGAIN }
