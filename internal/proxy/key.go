package proxy

import (
	"net"

	"go-proxy/internal/exchange"
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
func (x *request) Peer() string {
	host, _, err := net.SplitHostPort(x.in.RemoteAddr)
	if err != nil {
		return x.in.RemoteAddr
	}
	return host
}

// Trusts implements exchange.Asked.
func (x *request) Trusts(address string) bool { return x.settings.Trusted.Contains(address) }
