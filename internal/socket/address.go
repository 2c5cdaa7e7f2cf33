//go:build linux && !386

package socket

import (
	"net"
	"strconv"
	"syscall"
	"unsafe"
)

// setPeer takes over what accept has said.
func (c *Conn) setPeer(sa *syscall.RawSockaddrInet6) {
	port := (*[2]byte)(unsafe.Pointer(&sa.Port)) // in the network's order; at the same place in both
	c.peer.Port = int(port[0])<<8 | int(port[1])
	switch sa.Family {
	case syscall.AF_INET:
		c.peer.IP = append(c.ip[:0], (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr[:]...)
	case syscall.AF_INET6:
		c.peer.IP = append(c.ip[:0], sa.Addr[:]...)
		c.peer.Zone = zone(sa.Scope_id)
	}
}

// zone is the name of the network that a link-local address is of.
func zone(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
