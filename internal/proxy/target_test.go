package proxy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/testkit"
)

// echoHead is a backend that answers with the request head it got.
func echoHead(t *testing.T) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		for {
			head := p.Head()
			if head == "" {
				return
			}
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(head), head)
		}
	})
}

// targets that reach the backend byte for byte.
var targets = []string{
	"/", "/a/b", "/a%2Fb", "/a%2fb", "//", "//evil.example/x", "///x", "/a//b", "/a;b;c=1", "/;", "/a/./b/../c",
	"/%41", "/a%20b", "/[x]{y}|z", "/^`<>\"\\", "/caf\xc3\xa9", "/\xff", "/@evil.example/x", "/http://x/",
	"/?", "/?x", "/x?x=1;y=2", "/x?x=%zz", "/x?%", "/x?a=b&c=d?e", "/x?{}|[]", "/x?a=//b", "//x?y=%zz;z", "//x?", "/?" + strings.Repeat("a&", 12000/4),
}

func TestTargetReachesBackendByteForByte(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	for _, target := range targets {
		p := r.dial()
		p.Sendf("GET %s HTTP/1.1\r\nHost: example.org\r\n\r\n", target)
		_, got := p.Response("GET")
		line, _, _ := strings.Cut(got, "\r\n")
		require.Equal(t, "GET "+target+" HTTP/1.1", line)
		record := r.record()
		path, query, _ := strings.Cut(target, "?")
		require.Equal(t, path, string(record.Path))
		require.Equal(t, query, string(record.Query))
	}
}

// Bytes that no URI may hold are escaped where they could not be sent without
// making the target an absolute one.
func TestTargetWithTwoSlashesIsNeverAnAuthority(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	p := r.dial()
	p.Send("GET //evil.example/{x} HTTP/1.1\r\nHost: example.org\r\n\r\n")
	_, got := p.Response("GET")
	require.True(t, strings.HasPrefix(got, "GET //evil.example/%7Bx%7D HTTP/1.1\r\n"), got)
}

func TestTargetGetsTheBackendsPrefix(t *testing.T) {
	r := newRig(t, []string{echoHead(t) + "/base%2Fx/"})
	for target, want := range map[string]string{
		"/":                     "/base%2Fx/",
		"/a%2Fb?c":              "/base%2Fx/a%2Fb?c",
		"//x":                   "/base%2Fx//x",
		"http://example.org":    "/base%2Fx/",
		"http://example.org?q":  "/base%2Fx/?q",
		"http://example.org/x?": "/base%2Fx/x?",
	} {
		p := r.dial()
		p.Sendf("GET %s HTTP/1.1\r\nHost: example.org\r\n\r\n", target)
		_, got := p.Response("GET")
		require.True(t, strings.HasPrefix(got, "GET "+want+" HTTP/1.1\r\n"), "%s: %s", target, got)
	}
}

// RFC 9112, 3.2.2: the authority of an absolute-form target replaces Host.
func TestAbsoluteFormGoesToTheBackendAsOriginForm(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	for target, want := range map[string]string{
		"http://one.example/x?y":  "/x?y",
		"HTTP://one.example":      "/",
		"https://one.example/":    "/",
		"http://one.example//b":   "//b",
		"http://one.example?a=%z": "/?a=%z",
	} {
		p := r.dial()
		p.Sendf("GET %s HTTP/1.1\r\nHost: two.example\r\n\r\n", target)
		_, got := p.Response("GET")
		require.True(t, strings.HasPrefix(got, "GET "+want+" HTTP/1.1\r\n"), "%s: %s", target, got)
		require.Contains(t, got, "\r\nX-Forwarded-Host: one.example\r\n")
	}
}

func TestOptionsAsteriskIsTheBackendsToAnswer(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	for _, target := range []string{"*", "http://example.org"} {
		p := r.dial()
		p.Sendf("OPTIONS %s HTTP/1.1\r\nHost: example.org\r\n\r\n", target)
		_, got := p.Response("OPTIONS")
		require.True(t, strings.HasPrefix(got, "OPTIONS * HTTP/1.1\r\n"), "%s: %s", target, got)
	}
}
