//go:build linux && !386

package socket

import (
	"syscall"
	"unsafe"
)

func sysAccept(fd int, peer *syscall.RawSockaddrInet6) (int, error) {
	size := uint32(unsafe.Sizeof(*peer))
	return result(syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(peer)), uintptr(unsafe.Pointer(&size)),
		syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0))
}

func sysClose(fd int) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

func sysDuplicate(fd uintptr) (int, error) {
	return result(syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0))
}

func sysWatch(epoll, fd int, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	_, err := result(syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epoll), syscall.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0))
	return err
}

func sysUnwatch(epoll, fd int) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epoll), syscall.EPOLL_CTL_DEL, uintptr(fd), 0, 0, 0)
}

func sysEvents(epoll uintptr, events []syscall.EpollEvent) (int, error) {
	return result(syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0))
}

// result is what package syscall makes of it.
func result(n, _ uintptr, err syscall.Errno) (int, error) {
	if err != 0 {
		return -1, err
	}
	return int(n), nil
}
