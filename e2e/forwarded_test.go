package e2e

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// clientAddress is the test's own, as the proxy sees it: in a container that
// is the network's gateway.
func clientAddress(t *testing.T, s *stack.Stack) string {
	t.Helper()
	s.Get("/who-am-i")
	host, _, err := net.SplitHostPort(s.Proxy.AwaitRecord("/who-am-i")["client"])
	require.NoError(t, err)
	return host
}

func TestHostIsTheBackendsOwn(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: www.example.org:81\r\n\r\n")
		require.Equal(t, s.Backend(1).URL(), "http://"+got.Host)
		require.Equal(t, []string{"www.example.org:81"}, got.Headers["X-Forwarded-Host"])
	})
}

const claims = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 192.0.2.3\r\n" +
	"X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\nX-Forwarded-Port: 443\r\n" +
	"X-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n"

// A backend must be able to believe what it is told of the client.
func TestForwardingFieldsOfStrangersAreReplaced(t *testing.T) {
	for name, trusted := range map[string]string{"nobody is trusted": "", "others are trusted": "192.0.2.0/24,2001:db8::/32"} {
		t.Run(name, func(t *testing.T) {
			stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
				s := stack.New(t, mode, stack.WithBackends(1), stack.With("TRUSTED_PROXIES", trusted))
				got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\nX-FORWARDED-FOR: 192.0.2.4\r\n"+claims+"\r\n").Headers
				require.Equal(t, []string{clientAddress(t, s)}, got["X-Forwarded-For"])
				require.Equal(t, []string{"example.org"}, got["X-Forwarded-Host"])
				require.Equal(t, []string{"http"}, got["X-Forwarded-Proto"])
				for _, lie := range []string{"X-Forwarded-Port", "X-Real-Ip", "Forwarded"} {
					require.NotContains(t, got, lie)
				}
			})
		})
	}
}

func TestForwardingFieldsOfTrustedProxiesAreExtended(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("TRUSTED_PROXIES", "0.0.0.0/0,::/0"))
		self := clientAddress(t, s)
		t.Run("that say something", func(t *testing.T) {
			got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\n"+claims+"\r\n").Headers
			require.Equal(t, []string{"192.0.2.1, 192.0.2.2, 192.0.2.3, " + self}, got["X-Forwarded-For"])
			require.Equal(t, []string{"www.example.org"}, got["X-Forwarded-Host"])
			require.Equal(t, []string{"https"}, got["X-Forwarded-Proto"])
		})
		t.Run("that say nothing", func(t *testing.T) {
			got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").Headers
			require.Equal(t, []string{self}, got["X-Forwarded-For"])
			require.Equal(t, []string{"example.org"}, got["X-Forwarded-Host"])
			require.Equal(t, []string{"http"}, got["X-Forwarded-Proto"])
		})
	})
}

// CVE-2022-31813 and its family: Connection cannot take away what the proxy
// says, nor the framing.
func TestForwardingFieldsCannotBeNominatedAway(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\nX-Forwarded-For: 192.0.2.1\r\n" +
		"Connection: X-Forwarded-For, x-forwarded-host, X-FORWARDED-PROTO, Host, Content-Length\r\n\r\n"
	for name, trusted := range map[string]string{"by strangers": "", "by trusted proxies": "0.0.0.0/0"} {
		t.Run(name, func(t *testing.T) {
			stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
				s := stack.New(t, mode, stack.WithBackends(1), stack.With("TRUSTED_PROXIES", trusted))
				got := backendSees(t, s, request)
				require.Equal(t, []string{clientAddress(t, s)}, got.Headers["X-Forwarded-For"])
				require.Equal(t, []string{"example.org"}, got.Headers["X-Forwarded-Host"])
				require.Equal(t, []string{"http"}, got.Headers["X-Forwarded-Proto"])
				require.Equal(t, s.Backend(1).URL(), "http://"+got.Host)
				require.Zero(t, got.ContentLength)
			})
		})
	}
}
