package proxy

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// keyed is the exchange of a request from the peer, under a policy that goes by
// the key.
func keyed(t *testing.T, policy, key, peer, head string) *request {
	t.Helper()
	c, err := config.Proxy([]string{"-backends=http://a", "-policy=consistent_hash", "-trusted-proxies=10.0.0.0/8", "-hash-key=" + key}, func(string) string { return "" })
	require.NoError(t, err)
	p := &Proxy{pool: pool.New(c.Backends, pool.Settings{Policy: policy}, nil)}
	p.pool.ObserveProbe(p.pool.Backends()[0], nil)
	in, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	require.NoError(t, err)
	x := &request{proxy: p, settings: newSettings(c), in: in}
	in.RemoteAddr = peer
	exchange.SetRequest(&x.record, in.RemoteAddr, in.Method, in.RequestURI)
	return x
}

const stranger, trustedPeer = "192.0.2.1:1234", "10.0.0.1:1234"

var keys = []struct{ name, key, peer, head, want string }{
	{"the client", "client_address", stranger, "GET / HTTP/1.1\r\nHost: h", "192.0.2.1"},
	{"an IPv6 client", "client_address", "[2001:db8::1]:1234", "GET / HTTP/1.1\r\nHost: h", "2001:db8::1"},
	{"what strangers say of it", "client_address", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1", "192.0.2.1"},
	{"what a trusted proxy says", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1", "198.51.100.1"},
	{"and one behind that", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1, 10.0.0.2", "198.51.100.1"},
	{"but no stranger's", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
	{"on several lines", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.1\r\nX-Forwarded-For: ,10.0.0.2,", "198.51.100.1"},
	{"all trusted", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3"},
	{"nothing said", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h", "10.0.0.1"},

	{"a path", "path", stranger, "GET /a%20b/c?d HTTP/1.1\r\nHost: h", "/a%20b/c"},
	{"an absolute one", "path", stranger, "GET http://x/a HTTP/1.1\r\nHost: x", "/a"},
	{"an empty one", "path", stranger, "GET http://x?a HTTP/1.1\r\nHost: x", "/"},

	{"a field", "header:x-user", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-USER: ann", "ann"},
	{"its first line", "header:X-User", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-User: ann\r\nX-User: bob", "ann"},
	{"another field", "header:X-User", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-Users: ann", ""},
	{"Host", "header:host", stranger, "GET / HTTP/1.1\r\nHost: h.example", "h.example"},

	{"a cookie", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=0; s=1", "1"},
	{"of a second line", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=0\r\nCookie: s=1", "1"},
	{"another cookie", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=0", ""},

	{"a parameter", "query:u", stranger, "GET /u=0?a=0&u=1 HTTP/1.1\r\nHost: h", "1"},
	{"no query", "query:u", stranger, "GET /u=0 HTTP/1.1\r\nHost: h", ""},
}

func TestTheKeyIsThePartOfARequestThatIsSet(t *testing.T) {
	for _, c := range keys {
		t.Run(c.name, func(t *testing.T) {
			x := keyed(t, "consistent_hash", c.key, c.peer, c.head)
			require.Equal(t, pool.Key(hop.Hash(c.want)), x.policyKey())
			require.Zero(t, testing.AllocsPerRun(100, func() { x.policyKey() }))
		})
	}
}

func TestThereIsNoKeyForAPolicyThatDoesNotAsk(t *testing.T) {
	for _, policy := range pool.Policies() {
		for _, c := range keys {
			x := keyed(t, policy, c.key, c.peer, c.head)
			if policy != "consistent_hash" {
				require.Equal(t, pool.NoKey, x.policyKey(), policy)
			}
		}
	}
}
