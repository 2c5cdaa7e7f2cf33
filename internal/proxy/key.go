package proxy

import (
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// key is what the policy goes by, of this request: pool.NoKey if it goes by
// nothing, or the request does not have it.
func (x *request) policyKey() pool.Key {
	if !x.proxy.pool.WantsKey() {
		return pool.NoKey
	}
	return pool.Key(exchange.Key(&x.record, x.settings.HashKey, x))
}

// Line implements exchange.Asked. net/http has Host elsewhere.
func (x *request) Line(name string, n int) (value string, found bool) {
	lines := x.in.Header[name]
	if name == "Host" {
		lines = []string{x.in.Host}
	}
	if n >= len(lines) {
		return "", false
	}
	return lines[n], true
}

// Peer implements exchange.Asked.
func (x *request) Peer() string { return hop.HostOf(x.in.RemoteAddr) }

// Trusts implements exchange.Asked.
func (x *request) Trusts(address string) bool { return x.settings.Trusted.Contains(address) }
