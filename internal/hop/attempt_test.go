package hop_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
)

func TestStaleConnectionIsAReusedOneThatEndsInSilence(t *testing.T) {
	require.True(t, hop.Stale(hop.ResetBeforeResponse, true, true))
	require.False(t, hop.Stale(hop.ResetBeforeResponse, false, true), "a fresh one")
	require.False(t, hop.Stale(hop.ResetBeforeResponse, true, false), "something came")
	require.False(t, hop.Stale(hop.ResponseTimeout, true, true), "it has not ended")
	require.False(t, hop.Stale(hop.None, true, true))
}

func TestDialCauseTellsWhyNoConnectionCame(t *testing.T) {
	for want, errs := range map[hop.Cause][]error{
		hop.DialRefused: {syscall.ECONNREFUSED, fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.ECONNREFUSED))},
		hop.DialTimeout: {os.ErrDeadlineExceeded, syscall.ETIMEDOUT, fmt.Errorf("dial: %w", os.ErrDeadlineExceeded)},
		hop.DialFailed:  {syscall.EHOSTUNREACH, io.EOF, errors.New("no such host")},
	} {
		for _, err := range errs {
			require.Equal(t, want, hop.DialCause(err), err.Error())
		}
	}
}

func TestProxysOwnAnswer(t *testing.T) {
	require.Equal(t, "before503 Service Unavailable: no_backend_alive\n",
		string(hop.AppendAnswer([]byte("before"), hop.NoBackendAlive, "Service Unavailable")))
	for _, c := range []hop.Cause{hop.NoBackendAlive, hop.Overloaded, hop.Shutdown, hop.BackendRemoved} {
		require.True(t, c.TryLater(), c.String())
	}
	for _, c := range []hop.Cause{hop.DialRefused, hop.ResponseTimeout, hop.BadRequest, hop.None} {
		require.False(t, c.TryLater(), c.String())
	}
}

func TestTrustedArePeersByAddress(t *testing.T) {
	trusted := hop.Trusted{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	for _, peer := range []string{"10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3", "fe80::1", "fe80::1%eth0"} {
		require.True(t, trusted.Contains(peer), peer)
	}
	for _, peer := range []string{"11.0.0.1", "", "localhost", "10.0.0.1:80", "::1", "@"} {
		require.False(t, trusted.Contains(peer), peer)
	}
	require.False(t, hop.Trusted(nil).Contains("10.0.0.1"))
}

func TestTargetsThatMustNotBeForwarded(t *testing.T) {
	for _, c := range []struct {
		method, target string
		want           hop.Cause
	}{
		{"GET", "/", hop.None}, {"OPTIONS", "*", hop.None}, {"GET", "/" + strings.Repeat("x", 15), hop.None},
		{"GET", "/" + strings.Repeat("x", 16), hop.TargetTooLong},
		{"PRI", "*", hop.BadRequest}, {"CONNECT", "x:80", hop.MethodNotAllowed},
		{"GET", "*", hop.BadRequest}, {"GET", "x", hop.BadRequest}, {"GET", "/#f", hop.BadRequest},
	} {
		require.Equal(t, c.want, hop.RefuseTarget(c.method, c.target, 16), "%s %s", c.method, c.target)
		require.Equal(t, c.want, hop.RefuseTarget([]byte(c.method), []byte(c.target), 16), "%s %s", c.method, c.target)
	}
}

func TestAuthorityOfATarget(t *testing.T) {
	for target, want := range map[string]string{
		"http://a": "a", "HTTPS://a:1/x?y": "a:1", "http://a?x": "a", "/http://a": "", "//a/b": "", "*": "", "": "",
	} {
		require.Equal(t, want, hop.Authority(target), target)
		require.Equal(t, want, string(hop.Authority([]byte(target))), target)
	}
}

func TestValidHost(t *testing.T) {
	for _, host := range []string{"a", "a.b-c_d:80", "[::1]:80", "127.0.0.1", "", "a%20b"} {
		require.True(t, hop.ValidHost(host), host)
	}
	for _, host := range []string{"a b", "a/b", "a@b", "a?b", "a#b", "a\x00", "ü", `a"b`, "a<b", "a|b"} {
		require.False(t, hop.ValidHost(host), host)
	}
}

func TestOnlyContinueIsUnderstood(t *testing.T) {
	require.True(t, hop.UnderstandsExpect("100-Continue"))
	for _, value := range []string{"", "100-continue, x", " 100-continue", "100"} {
		require.False(t, hop.UnderstandsExpect(value), value)
	}
}

func TestAnnouncedTrailersThatMayPass(t *testing.T) {
	require.Equal(t, "X-A, X-B", string(hop.AppendTrailer(nil, "X-A, Host, content-length,X-B")))
	require.Empty(t, hop.AppendTrailer(nil, "Transfer-Encoding"))
}

func TestConnectionNominatesFields(t *testing.T) {
	for value, want := range map[string]bool{
		"close": false, "keep-alive": false, "Upgrade": false, "close, upgrade": false, "": false, "X-A": true, "close, X-A": true,
	} {
		require.Equal(t, want, hop.Nominates(value), value)
	}
}
