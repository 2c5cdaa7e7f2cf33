package hop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// split is Target for both kinds of text.
func split(t *testing.T, method, target string) (string, bool) {
	t.Helper()
	got, ok := Target(method, target)
	fromBytes, okBytes := Target([]byte(method), []byte(target))
	require.Equal(t, got, string(fromBytes), "bytes of %q", target)
	require.Equal(t, ok, okBytes, "bytes of %q", target)
	return got, ok
}

func TestTargetIsPathAndQueryByteForByte(t *testing.T) {
	for _, target := range []string{"/", "/a", "/a/b/", "/a%2Fb", "/%zz", "/a//b", "//evil/x", "//", "/@evil/x", "/a;b", "/?", "/?x=1;y=2",
		"/?x=%zz", "/?a?b", "/[]{}|", "/a\\b", "/..", "/./a", "/a=b&c", "/\"'<>^`", "/ü", "/\x80\xff", "/http://evil/"} {
		got, ok := split(t, "GET", target)
		require.True(t, ok, "%q", target)
		require.Equal(t, target, got)
	}
}

func TestTargetInAbsoluteFormLosesSchemeAndAuthority(t *testing.T) {
	for target, want := range map[string]string{
		"http://example.org/a?b":   "/a?b",
		"https://example.org/":     "/",
		"HTTP://example.org/A":     "/A",
		"HttpS://example.org:81/a": "/a",
		"http://example.org":       "",
		"http://example.org?x":     "?x",
		"http://example.org//evil": "//evil",
		"http://[::1]:80/a@b":      "/a@b",
		"http://a/?u:p@b":          "/?u:p@b",
	} {
		got, ok := split(t, "GET", target)
		require.True(t, ok, "%q", target)
		require.Equal(t, want, got, "%q", target)
	}
}

func TestAsteriskGoesWithOptionsOnly(t *testing.T) {
	got, ok := split(t, "OPTIONS", "*")
	require.True(t, ok)
	require.Equal(t, "*", got)
	for _, method := range []string{"GET", "", "options", "PRI"} {
		_, ok := split(t, method, "*")
		require.False(t, ok, method)
	}
}

func TestTargetThatReadsInMoreThanOneWayIsRefused(t *testing.T) {
	for _, target := range []string{"", "a", "a/b", "@evil/x", "?x", "evil:80", "example.org:443", "**", "*/", "\\evil", "./a", "ftp://a/", "ws://a/",
		"http:/a", "http:a", "http//a", "http://", "http:///a", "http://?x", "http://u@a/", "http://u:p@a/", "https://@a", "urn:a", "%2Fa"} {
		_, ok := split(t, "GET", target)
		require.False(t, ok, "%q", target)
	}
}

func TestTargetMayHoldNoBlankNoControlCharacterAndNoFragment(t *testing.T) {
	for c := range 256 {
		bad := c <= ' ' || c == 0x7f || c == '#'
		for _, target := range []string{"/", "/a/", "/a?", "http://a/", "http://a/?", "http://a"} {
			_, ok := split(t, "GET", target+string([]byte{byte(c)})+"b")
			require.Equal(t, !bad && (target != "http://a" || c != '@'), ok, "%q and %#x", target, c)
		}
	}
}

// What is returned is logged, also when it is refused.
func TestRefusedTargetGivesAwayNoPassword(t *testing.T) {
	for target, want := range map[string]string{
		"http://u:secret@a/x":  "/x",
		"https://u:secret@a":   "",
		"HTTP://u:secret@a?x":  "?x",
		"http://u:secret@a/ x": "/ x",
		"ftp://u:secret@a/x":   "",
		"u:secret@a:443":       "",
		"http:/u:secret@a/x":   "",
		" http://u:secret@a/x": "",
		"a.example:443":        "a.example:443",
		"nonsense":             "nonsense",
	} {
		got, ok := split(t, "GET", target)
		require.False(t, ok, "%q", target)
		require.Equal(t, want, got, "%q", target)
	}
}

// ask is AppendTarget for both kinds of text.
func ask(t *testing.T, method, prefix, pathAndQuery string) string {
	t.Helper()
	return appended(t,
		func(dst []byte) []byte { return AppendTarget(dst, method, prefix, pathAndQuery) },
		func(dst []byte) []byte { return AppendTarget(dst, []byte(method), prefix, []byte(pathAndQuery)) })
}

func TestBackendIsAskedForPrefixPathAndQuery(t *testing.T) {
	for _, test := range []struct{ method, prefix, pathAndQuery, want string }{
		{"GET", "", "/a?b", "/a?b"},
		{"GET", "/v1", "/a?b", "/v1/a?b"},
		{"GET", "/v1", "/", "/v1/"},
		{"GET", "/v1", "//a", "/v1//a"},
		{"GET", "", "//a", "//a"},
		{"GET", "", "", "/"},
		{"GET", "", "?b", "/?b"},
		{"GET", "/v1", "", "/v1/"},
		{"GET", "/v1", "?b", "/v1/?b"},
		{"OPTIONS", "", "*", "*"},
		{"OPTIONS", "/v1", "*", "*"},
		{"OPTIONS", "", "", "*"},
		{"OPTIONS", "/v1", "", "*"},
		{"OPTIONS", "/v1", "?b", "/v1/?b"},
		{"OPTIONS", "/v1", "/", "/v1/"},
	} {
		require.Equal(t, test.want, ask(t, test.method, test.prefix, test.pathAndQuery), "%v", test)
	}
}

func FuzzTarget(f *testing.F) {
	for _, target := range []string{"/", "/a?b", "//evil/x", "@evil/x", "x", "*", "", "?", "/a#b", "/a b", "/a\x00", "/a\tb", "/a\r\nb", "/%2F%zz",
		"http://example.org", "http://example.org?x", "http://u:p@example.org/", "https://a//b", "HTTP://A/", "http:///x", "http://",
		"ftp://u:p@a/", "example.org:443", "u:p@example.org:443", "/[]{}|", "/\x80\u00a0"} {
		for _, method := range []string{"GET", "OPTIONS", "CONNECT", "PRI"} {
			f.Add(method, target)
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		got, ok := split(t, method, target)
		if got != "" && got[0] != '/' && got[0] != '?' {
			require.NotContains(t, got, "@", "user information is not returned")
		}
		if !ok {
			return
		}
		require.True(t, strings.HasSuffix(target, got), "byte for byte")
		require.False(t, strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }), "%q", got)
		for _, prefix := range []string{"", "/v1", "/a%2Fb"} {
			asked := ask(t, method, prefix, got)
			require.True(t, asked == "*" || strings.HasPrefix(asked, prefix+"/"), "%q", asked)
			require.True(t, strings.HasSuffix(asked, got) || got == "", "%q", asked)
		}
	})
}
