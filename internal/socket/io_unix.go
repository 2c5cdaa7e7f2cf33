//go:build unix

package socket

import "syscall"

// Raw says that Read, Write and Quiet are there.
const Raw = true

// Read reads once from a socket that does not block. It returns what read(2)
// does: no bytes and no error are the end, EAGAIN says that nothing has come.
func Read(fd uintptr, p []byte) (int, error) {
	for {
		n, err := sysRead(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// Write writes once, what the socket takes; EAGAIN says that this is nothing.
func Write(fd uintptr, p []byte) (int, error) {
	for {
		n, err := sysWrite(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// Quiet reports whether the socket is open and has nothing to read.
func Quiet(fd uintptr) bool { return sysPeek(fd) == syscall.EAGAIN }
