//go:build linux && !386 && !race

package socket

import (
	"syscall"
	"unsafe"
)

// What takes no time need not tell Go's scheduler, which would prepare for it to
// take some: among others it wakes the thread that watches over that, sysmon.
// While there are pauses between requests that is a quarter of what they cost.
// (A 386 has no system calls of these names. The race detector knows of what is
// sent from one goroutine to another by way of package syscall only.)

func sysRead(fd uintptr, p []byte) (int, error) {
	return result(syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

func sysWrite(fd uintptr, p []byte) (int, error) {
	return result(syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

func sysPeek(fd uintptr) error {
	var b [1]byte
	_, err := result(syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0))
	return err
}
