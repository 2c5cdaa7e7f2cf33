package hop

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listHas is a predicate: whether a list holds the token.
func listHas(lower string) predicate {
	return predicate{
		func(list string) bool { return HasToken(list, lower) },
		func(list []byte) bool { return HasToken(list, lower) },
	}
}

// nominates is a predicate: whether a Connection field nominates the name,
// itself as either kind of text.
func nominates(name string) predicate {
	return predicate{
		func(list string) bool { return HasName(list, name) && HasName(list, []byte(name)) },
		func(list []byte) bool { return HasName(list, name) || HasName(list, []byte(name)) },
	}
}

func TestTokenIsFoundAnywhereInAList(t *testing.T) {
	listHas("chunked").holds(t, true, "chunked", "CHUNKED", "gzip, chunked", "chunked,gzip", "gzip,chunked,br", " chunked ", "\tchunked\t",
		",chunked", "chunked,", ",,\t ,chunked", "chunked, chunked")
}

// Near misses: a list is split at commas, trimmed of blanks and tabs, and that
// is all (RFC 9110, 5.6.1).
func TestTokenIsNotFoundInWhatOnlyLooksLikeIt(t *testing.T) {
	listHas("chunked").holds(t, false, "", ",", " , ", "chunk", "chunkedx", "xchunked", "chunked x", "chunked;q=1", `"chunked"`, "'chunked'",
		"\vchunked", "\fchunked", "\u00a0chunked", "\u0085chunked", "chunked\x00", "chunked\r", "chun,ked", "identity", "chun\u212aed")
}

func TestNominatedNameIsFoundInAnyCase(t *testing.T) {
	nominates("X-Real-IP").holds(t, true, "X-Real-IP", "x-real-ip", "close, X-REAL-IP", "X-Forwarded-For,X-Real-IP, Host")
	nominates("X-Real-IP").holds(t, false, "", "close", "X-Real-IPs", "X-Real", "X-Real-IP:", "X_Real_IP")
}

// appended is what f appends, for both kinds of text and behind what is there.
func appended(t *testing.T, ofString, ofBytes func(dst []byte) []byte) string {
	t.Helper()
	got := string(ofString(nil))
	require.Equal(t, got, string(ofBytes(nil)))
	require.Equal(t, "before"+got, string(ofString([]byte("before"))))
	require.Equal(t, "before"+got, string(ofBytes([]byte("before"))))
	return got
}

func upgrade(t *testing.T, value string) string {
	t.Helper()
	return appended(t,
		func(dst []byte) []byte { return AppendUpgrade(dst, value) },
		func(dst []byte) []byte { return AppendUpgrade(dst, []byte(value)) })
}

func TestUpgradeKeepsProtocolsButH2C(t *testing.T) {
	for value, want := range map[string]string{
		"websocket":              "websocket",
		"WebSocket":              "WebSocket",
		"h2c":                    "",
		"H2C":                    "",
		" h2c\t":                 "",
		"h2c, websocket":         "websocket",
		"websocket,H2c":          "websocket",
		"a,h2c,b , h2C,\tc":      "a, b, c",
		"h2c,h2c":                "",
		"h2cx, xh2c":             "h2cx, xh2c",
		"TLS/1.0, HTTP/2.0, h2c": "TLS/1.0, HTTP/2.0",
		"":                       "",
		",":                      "",
		", ,websocket,,":         "websocket",
		"h2c/1, H2C/2.0, h2c/":   "",
		`"h2c", h2c;q=1, h2 c`:   "",
		"a/, /1, a/1/2, b/1":     "b/1",
	} {
		require.Equal(t, want, upgrade(t, value), "%q", value)
	}
}

func TestForwardedForPutsTheClientLast(t *testing.T) {
	for _, test := range []struct{ earlier, client, want string }{
		{"", "192.0.2.1", "192.0.2.1"},
		{"198.51.100.1", "192.0.2.1", "198.51.100.1, 192.0.2.1"},
		{"198.51.100.1, 10.0.0.1", "2001:db8::1", "198.51.100.1, 10.0.0.1, 2001:db8::1"},
	} {
		require.Equal(t, test.want, appended(t,
			func(dst []byte) []byte { return AppendForwardedFor(dst, test.earlier, []byte(test.client)) },
			func(dst []byte) []byte { return AppendForwardedFor(dst, []byte(test.earlier), test.client) }))
	}
}

// items are a list's elements as the standard library splits them.
func items(list string) []string {
	var all []string
	for item := range strings.SplitSeq(list, ",") {
		all = append(all, strings.Trim(item, " \t"))
	}
	return all
}

var lists = []string{"", ",", " ", "close", "keep-alive, X-Forwarded-For", "X-Forwarded-For, X-Real-IP, Host", ",chunked", "chunked,",
	"chunked, chunked", `"chunked"`, "chunked;q=1", "\vchunked", "\u00a0chunked", "gzip,\tChunked ,", "a\x00b,c\r\nd", "\xff,\xfe"}

func FuzzLists(f *testing.F) {
	for _, list := range lists {
		f.Add(list, "Chunked")
		f.Add(list, "x-real-ip")
	}
	f.Fuzz(func(t *testing.T, list, token string) {
		if token == "" {
			return // whether an empty element counts matters to nobody
		}
		lower := asciiLower(token)
		want := slices.ContainsFunc(items(list), func(item string) bool { return asciiLower(item) == lower })
		require.Equal(t, want, listHas(lower).of(t, list), "%q in %q", lower, list)
		require.Equal(t, want, nominates(token).of(t, list), "%q in %q", token, list)
	})
}

func FuzzUpgrade(f *testing.F) {
	for _, value := range append(lists, "websocket", "h2c", "H2C, websocket", "h2c,,h2c ,\th2C", "TLS/1.0") {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := upgrade(t, value)
		listHas("h2c").holds(t, false, got)
		protocol := regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$")
		kept := slices.DeleteFunc(items(value), func(item string) bool {
			match := protocol.FindStringSubmatch(item)
			return match == nil || asciiLower(match[1]) == "h2c"
		})
		require.Equal(t, strings.Join(kept, ", "), got)
	})
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("198.51.100.1", "192.0.2.1")
	f.Add("", "::1")
	f.Fuzz(func(t *testing.T, earlier, client string) {
		got := appended(t,
			func(dst []byte) []byte { return AppendForwardedFor(dst, earlier, client) },
			func(dst []byte) []byte { return AppendForwardedFor(dst, []byte(earlier), []byte(client)) })
		require.True(t, strings.HasPrefix(got, earlier) && strings.HasSuffix(got, client))
	})
}
