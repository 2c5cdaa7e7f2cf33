package server

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// Linux gives an accepted connection the options of the socket that listens
// (tcp(7)): set there, once, they are not four system calls for every client.
var listenConfig = net.ListenConfig{KeepAlive: -1, Control: keepAlive}

// keepAliveOptions are those that Go sets by default.
var keepAliveOptions = []struct{ level, name, value int }{
	{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
}

func keepAlive(_, _ string, c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(fd uintptr) {
		for _, o := range keepAliveOptions {
			if err == nil {
				err = syscall.SetsockoptInt(int(fd), o.level, o.name, o.value)
			}
		}
	})
	return errors.Join(controlErr, os.NewSyscallError("setsockopt", err))
}
