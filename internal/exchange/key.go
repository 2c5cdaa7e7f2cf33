package exchange

import (
	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

// Asked is what a plane has of a request besides its Record.
type Asked[S hop.Text] interface {
	// Line is the value of the n-th line of a field, from 0. The name is in its
	// canonical form.
	Line(name string, n int) (value S, found bool)
	// Peer is the address of the connection's other end, without a port.
	Peer() string
	// Trusts reports whether what an address says of the hops before is believed.
	Trusts(address string) bool
}

// Key is the hash of the part of a request that is wanted, 0 if it lacks that.
// It allocates nothing, but for a plane that holds bytes behind a trusted proxy.
func Key[S hop.Text](r *Record, wanted config.HashKey, asked Asked[S]) uint64 {
	switch wanted.Part {
	case config.KeyPath:
		if len(r.Path) == 0 { // of an absolute-form target it may be (RFC 9110, 4.2.3)
			return hop.Hash("/")
		}
		return hop.Hash(r.Path)
	case config.KeyQuery:
		return hop.Hash(hop.Parameter(r.Query, wanted.Name))
	case config.KeyHeader:
		value, _ := asked.Line(wanted.Name, 0)
		return hop.Hash(value)
	case config.KeyCookie:
		return hop.Hash(cookie(wanted.Name, asked))
	}
	return clientHash(asked)
}

func cookie[S hop.Text](name string, asked Asked[S]) (value S) {
	for n := 0; len(value) == 0; n++ {
		line, found := asked.Line("Cookie", n)
		if !found {
			break
		}
		value = hop.Cookie(line, name)
	}
	return value
}

// clientHash is that of the client's address: the peer's, or, as far as trusted
// proxies say so, the one that they had the request from.
func clientHash[S hop.Text](asked Asked[S]) uint64 {
	const field = "X-Forwarded-For"
	lines := 0
	if asked.Trusts(asked.Peer()) {
		for found := true; found; lines++ {
			_, found = asked.Line(field, lines)
		}
	}
	hash := hop.Hash(asked.Peer())
	for n := lines - 1; n >= 0; n-- {
		line, _ := asked.Line(field, n)
		for len(line) > 0 {
			var item S
			if line, item = hop.LastItem(line); len(item) == 0 {
				continue
			}
			hash = hop.Hash(item)
			if !asked.Trusts(string(item)) {
				return hash
			}
		}
	}
	return hash
}
