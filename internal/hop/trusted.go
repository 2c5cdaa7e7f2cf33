package hop

import (
	"net"
	"net/netip"
)

// Trusted are the peers whose forwarding fields are believed.
type Trusted []netip.Prefix

// Contains reports whether the peer is one of them. What is no address is
// nobody's.
func (t Trusted) Contains(peer string) bool {
	if len(t) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(peer)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, prefix := range t {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// HostOf is an address without its port, or all of it if it has none.
func HostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
