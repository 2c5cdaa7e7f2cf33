package http1

import (
	"encoding/binary"
	"syscall"
)

// States of a TCP connection (Linux, net/tcp_states.h).
const (
	tcpClose     = 7 // after a reset
	tcpCloseWait = 8 // after the peer's FIN
)

// peerGone asks for the state of the connection, since what has come before a
// FIN may not have been read.
func peerGone(socket syscall.RawConn, half bool) bool {
	var state byte
	err := socket.Control(func(fd uintptr) {
		info, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		var first [4]byte
		binary.NativeEndian.PutUint32(first[:], uint32(info))
		state = first[0] // tcpi_state
	})
	return err == nil && (state == tcpClose || state == tcpCloseWait && !half)
}
