//go:build unix

package socket

import "syscall"

// Raw says that Read, Write and Quiet are there.
const Raw = true

// Read reads once from a socket that does not block. It returns what read(2)
// does: no bytes and no error are the end, EAGAIN says that nothing has come.
func Read(fd uintptr, p []byte) (int, error) { return whole(sysRead, fd, p) }

// ReadMuch is Read where much is there, most likely.
func ReadMuch(fd uintptr, p []byte) (int, error) { return whole(longRead, fd, p) }

// Write writes once, what the socket takes; EAGAIN says that this is nothing.
func Write(fd uintptr, p []byte) (int, error) {
	if len(p) > few {
		return whole(longWrite, fd, p)
	}
	return whole(sysWrite, fd, p)
}

// few bytes are copied, and taken by a peer on this machine, in no time. Where
// that takes some, Go's scheduler has others served meanwhile: without it, small
// requests beside large downloads wait half as long again.
const few = 8 << 10

func longRead(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }
func longWrite(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

// whole calls again what a signal has interrupted.
func whole(call func(fd uintptr, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// Quiet reports whether the socket is open and has nothing to read.
func Quiet(fd uintptr) bool { return sysPeek(fd) == syscall.EAGAIN }
