package server

import (
	"net"
	"syscall"
)

// Linux gives an accepted connection the options of the socket that listens
// (tcp(7)): set there, once, they are not four system calls for every client.
var listenConfig = net.ListenConfig{KeepAlive: -1, Control: setOptions}

// options are those that Go sets by default.
var options = []struct{ level, name, value int }{
	{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
	{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
	{syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
}

// setOptions is no reason not to listen, as it is none for Go not to accept.
func setOptions(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		for _, o := range options {
			_ = syscall.SetsockoptInt(int(fd), o.level, o.name, o.value) // a kernel may lack one
		}
	})
}
