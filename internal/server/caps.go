package server

import (
	"net"
	"net/netip"

	"go-proxy/internal/netconn"
)

// caps bound how many connections clients may have at a time.
type caps struct {
	inAll, ofOne int                // 0: none
	counts       map[netip.Addr]int // by client; nil without a cap on those of one
}

// limit is a cap that one more connection would be above.
type limit int

const (
	none limit = iota
	inAll
	ofOneClient
	numLimits
)

// Cap bounds how many connections clients may have at a time, in all and each;
// 0 is no bound. Those that are there count and stay; what is above is reset
// before anything is read of it.
func (s *Server) Cap(inAll, ofOne int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caps = caps{inAll: inAll, ofOne: ofOne}
	if ofOne == 0 {
		return
	}
	s.caps.counts = make(map[netip.Addr]int)
	for c := range s.conns {
		s.caps.counts[clientOf(c)]++
	}
}

// admit keeps count of the connection, or says what that would be above.
func (s *Server) admit(c *netconn.Conn) limit {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.caps.inAll > 0 && len(s.conns) >= s.caps.inAll {
		return inAll
	}
	if s.caps.counts != nil {
		client := clientOf(c)
		if s.caps.counts[client] >= s.caps.ofOne {
			return ofOneClient
		}
		s.caps.counts[client]++
	}
	s.conns[c] = struct{}{}
	return none
}

// forget is told of every connection that is closed, also of those that were
// not admitted.
func (s *Server) forget(c *netconn.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, admitted := s.conns[c]; !admitted {
		return
	}
	delete(s.conns, c)
	if s.caps.counts == nil {
		return
	}
	client := clientOf(c)
	if s.caps.counts[client]--; s.caps.counts[client] == 0 {
		delete(s.caps.counts, client)
	}
}

// sitePrefix is what one site has of IPv6 at least (RFC 6177): whoever has it
// can come from any address in it.
const sitePrefix = 64

// clientOf is whom the connection counts for: an IPv4 address, or the first one
// of an IPv6 prefix.
func clientOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	if addr.Is4() {
		return addr
	}
	prefix, _ := addr.Prefix(sitePrefix) // fails only for IPv4
	return prefix.Addr()
}
