package http1

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// keyed is the exchange of a request from the peer, under a policy that goes by
// the key.
func keyed(t *testing.T, policy, key, peerAddr, head string) *exchange {
	t.Helper()
	c := testConfig(t, []string{"a"}, func(c *config.Config) {
		c.Balancing.Policy = policy
	})
	parsed, err := config.Proxy([]string{"-backends=http://a", "-policy=consistent_hash", "-trusted-proxies=10.0.0.0/8", "-hash-key=" + key}, func(string) string { return "" })
	require.NoError(t, err)
	x := &exchange{plane: &Plane{pool: testPool(c, nil)}, settings: newSettings(parsed), client: &client{addr: net.JoinHostPort(peerAddr, "1")}}
	require.Empty(t, x.request.parse([]byte(head+"\r\n\r\n"), 100))
	records.SetRequest(&x.record, nil, x.request.method, x.request.target)
	return x
}

const stranger, trustedPeer = "192.0.2.1", "10.0.0.1"

// keys are those of the other plane, with the same results.
var keys = []struct {
	name, key, peer, head, want string
	allocated                   float64 // at most: for an address behind a trusted proxy
}{
	{"the client", "client_address", stranger, "GET / HTTP/1.1\r\nHost: h", "192.0.2.1", 0},
	{"an IPv6 client", "client_address", "2001:db8::1", "GET / HTTP/1.1\r\nHost: h", "2001:db8::1", 0},
	{"what strangers say of it", "client_address", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1", "192.0.2.1", 0},
	{"what a trusted proxy says", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1", "198.51.100.1", 1},
	{"and one behind that", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1, 10.0.0.2", "198.51.100.1", 2},
	{"but no stranger's", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.1, 10.0.0.2", "198.51.100.1", 2},
	{"on several lines", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.1\r\nX-Forwarded-For: ,10.0.0.2,", "198.51.100.1", 2},
	{"all trusted", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3", 2},
	{"nothing said", "client_address", trustedPeer, "GET / HTTP/1.1\r\nHost: h", "10.0.0.1", 0},

	{"a path", "path", stranger, "GET /a%20b/c?d HTTP/1.1\r\nHost: h", "/a%20b/c", 0},
	{"an absolute one", "path", stranger, "GET http://x/a HTTP/1.1\r\nHost: x", "/a", 0},
	{"an empty one", "path", stranger, "GET http://x?a HTTP/1.1\r\nHost: x", "/", 0},

	{"a field", "header:x-user", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-USER: ann", "ann", 0},
	{"its first line", "header:X-User", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-User: ann\r\nX-User: bob", "ann", 0},
	{"another field", "header:X-User", stranger, "GET / HTTP/1.1\r\nHost: h\r\nX-Users: ann", "", 0},
	{"Host", "header:host", stranger, "GET / HTTP/1.1\r\nHost: h.example", "h.example", 0},
	{"Host of an absolute target", "header:host", stranger, "GET http://h.example/ HTTP/1.1\r\nHost: x", "h.example", 0},

	{"a cookie", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=0; s=1", "1", 0},
	{"of a second line", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\ncookie: a=0\r\nCookie: s=1", "1", 0},
	{"another cookie", "cookie:s", stranger, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=0", "", 0},

	{"a parameter", "query:u", stranger, "GET /u=0?a=0&u=1 HTTP/1.1\r\nHost: h", "1", 0},
	{"no query", "query:u", stranger, "GET /u=0 HTTP/1.1\r\nHost: h", "", 0},
}

func TestTheKeyIsThePartOfARequestThatIsSet(t *testing.T) {
	for _, c := range keys {
		t.Run(c.name, func(t *testing.T) {
			x := keyed(t, "consistent_hash", c.key, c.peer, c.head)
			require.Equal(t, pool.Key(hop.Hash(c.want)), x.key())
			require.LessOrEqual(t, testing.AllocsPerRun(100, func() { x.key() }), c.allocated)
		})
	}
}

func TestThereIsNoKeyForAPolicyThatDoesNotAsk(t *testing.T) {
	for _, policy := range pool.Policies() {
		for _, c := range keys {
			x := keyed(t, policy, c.key, c.peer, c.head)
			if policy != "consistent_hash" {
				require.Equal(t, pool.NoKey, x.key(), policy)
				require.Zero(t, testing.AllocsPerRun(10, func() { x.key() }))
			}
		}
	}
}
