package hop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// predicate is one of this package's, for both kinds of text.
type predicate struct {
	ofString func(string) bool
	ofBytes  func([]byte) bool
}

// holds fails the test if the predicate is not want for one of the texts.
func (p predicate) holds(t *testing.T, want bool, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.Equal(t, want, p.ofString(text), "%q", text)
		require.Equal(t, want, p.ofBytes([]byte(text)), "bytes of %q", text)
	}
}

// of is the predicate's answer, on which both kinds of text must agree.
func (p predicate) of(t *testing.T, text string) bool {
	t.Helper()
	answer := p.ofString(text)
	require.Equal(t, answer, p.ofBytes([]byte(text)), "bytes of %q", text)
	return answer
}

var (
	isHopByHop       = predicate{IsHopByHop[string], IsHopByHop[[]byte]}
	isForwarding     = predicate{IsForwarding[string], IsForwarding[[]byte]}
	allowedInTrailer = predicate{AllowedInTrailer[string], AllowedInTrailer[[]byte]}
	validName        = predicate{ValidName[string], ValidName[[]byte]}
	validValue       = predicate{ValidValue[string], ValidValue[[]byte]}
	idempotent       = predicate{Idempotent[string], Idempotent[[]byte]}
)

func TestHopByHopFieldsAreKnownInAnyCase(t *testing.T) {
	names := []string{"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "HTTP2-Settings", "X-Proxy-Explain"}
	for _, name := range names {
		isHopByHop.holds(t, true, name, strings.ToLower(name), strings.ToUpper(name))
		isHopByHop.holds(t, false, name+"s", name[1:], " "+name, name+" ", name+"\x00", strings.Replace(name, "e", "é", 1)+"é")
	}
	isHopByHop.holds(t, false, "", "Host", "Content-Length", "Keep_Alive", "Trailers", "Expect", "Alt-Svc", "\u212aeep-Alive")
}

func TestForwardingFieldsAreThoseThatClaimHopsBefore(t *testing.T) {
	isForwarding.holds(t, true, "Forwarded", "FORWARDED", "forwarded", "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-HOST",
		"X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Whatever", "X-Forwarded-", "X-Real-IP", "x-real-ip")
	isForwarding.holds(t, false, "", "X", "F", "X-Forwarded", "Forwarded-For", "Forwardedx", "X-Real-IPs", "X-Real", "XX-Forwarded-For",
		" X-Forwarded-For", "X-Request-Id", "From", "Via", "8-Forwarded-For")
}

func TestTrailerCarriesNothingThatMustBeKnownBefore(t *testing.T) {
	forbidden := []string{
		"Transfer-Encoding", "Content-Length", "Host", "Connection", "Trailer", "TE", "Upgrade", // framing, routing
		"Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Proxy-Authorization", "Cookie", "Set-Cookie", // authentication
		"Content-Encoding", "Content-Type", "Content-Range", // content
		"Cache-Control", "Expect", "Max-Forwards", "Pragma", "Range", // controls
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Range", "If-Anything",
		"Age", "Date", "Expires", "Location", "Retry-After", "Vary", "Warning",
		"X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", // believed by backends
	}
	for _, name := range forbidden {
		allowedInTrailer.holds(t, false, name, strings.ToLower(name), strings.ToUpper(name))
	}
	allowedInTrailer.holds(t, true, "Digest", "ETag", "Grpc-Status", "grpc-message", "Server-Timing", "X-Checksum", "I", "If", "Hosts", "Dates")
}

func TestNameIsAToken(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	validName.holds(t, true, token, "Host", "x_y", "9")
	validName.holds(t, false, "", "Host ", " Host", "Ho st", "Host:", "Höst", "a\x00")
	for c := range 256 {
		want := strings.IndexByte(token, byte(c)) >= 0
		validName.holds(t, want, string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'}))
	}
}

func TestValueMayHoldNoControlCharacterButTab(t *testing.T) {
	validValue.holds(t, true, "", " ", "\t", "a\tb c", "~!\"#", "\x80\xff", "ü", "\u0085\u00a0")
	for c := range 256 {
		want := c == '\t' || c >= ' ' && c != 0x7f
		validValue.holds(t, want, string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'}), string([]byte{'a', byte(c)}))
	}
}

func TestIdempotentMethodsAreThoseOfTheRFC(t *testing.T) {
	idempotent.holds(t, true, "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")
	idempotent.holds(t, false, "", "POST", "PATCH", "CONNECT", "PRI", "get", "Get", "GETS", "GE", " GET", "GET ", "QUERY")
}

func TestPredicatesAllocateNothing(t *testing.T) {
	name, list := []byte("X-Forwarded-For"), []byte("keep-alive, X-Forwarded-For")
	dst := make([]byte, 0, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = IsHopByHop(name) || ValidValue(name) && Idempotent(name) && AllowedInTrailer(name) && HasToken(list, "close")
		_ = HasName(list, name)
		target, _ := Target("GET", list)
		_ = AppendTarget(dst, "GET", "/prefix", target)
		_ = AppendUpgrade(dst, list)
		_ = AppendForwardedFor(dst, list, name)
	}))
}

func FuzzTrailer(f *testing.F) {
	for _, name := range []string{"Host", "content-length", "TE", "Authorization", "X-Forwarded-For", "X-REAL-IP", "forwarded", "If-Match",
		"Transfer-Encoding", "Transfer-Encoding ", "\vTE", "Digest", "x", "f", "", "é", "a\x00b", "a\r\nb"} {
		f.Add(name)
	}
	forbidden := map[string]bool{"forwarded": true, "x-real-ip": true}
	hopByHop := []string{"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
		"proxy-connection", "proxy-authenticate", "proxy-authorization", "http2-settings"}
	for _, name := range append(hopByHop, notInTrailers...) {
		forbidden[name] = true
	}
	f.Fuzz(func(t *testing.T, name string) {
		lower := asciiLower(name)
		want := !forbidden[lower] && !strings.HasPrefix(lower, "if-") && !strings.HasPrefix(lower, "x-forwarded-")
		require.Equal(t, want, allowedInTrailer.of(t, name), "%q", name)
		require.False(t, want && (isHopByHop.of(t, name) || isForwarding.of(t, name)), "%q", name)
		control := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		require.Equal(t, !control, validValue.of(t, name), "%q", name)
		if validName.of(t, name) {
			require.True(t, validValue.of(t, name), "%q", name)
			require.NotContains(t, name, ":")
		}
		require.False(t, idempotent.of(t, name) && strings.ToUpper(name) != name)
	})
}

// asciiLower is strings.ToLower for ASCII alone.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}
