package http1

import (
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// key is what the policy goes by, of this request: pool.NoKey if it goes by
// nothing, or the request does not have it.
func (x *exchange) key() pool.Key {
	if !x.plane.pool.WantsKey() {
		return pool.NoKey
	}
	return pool.Key(records.Key(&x.record, x.settings.HashKey, x))
}

// Line implements exchange.Asked. Of Host there is one line, in a target's
// authority it may be.
func (x *exchange) Line(name string, n int) (value []byte, found bool) {
	if name == "Host" {
		return x.request.host, n == 0
	}
	for i := range x.request.fields {
		if f := &x.request.fields[i]; len(f.name) == len(name) && hop.HasName(f.name, name) {
			if n == 0 {
				return f.value, true
			}
			n--
		}
	}
	return nil, false
}

// Peer implements exchange.Asked.
func (x *exchange) Peer() string { return x.client.host() }

// Trusts implements exchange.Asked.
func (x *exchange) Trusts(address string) bool { return x.settings.Trusted.Contains(address) }
