package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// targets that reach the backend byte for byte. The last are as long as the
// limit allows.
var targets = []string{
	"/", "/a/b", "/a%2Fb", "/a%2fb", "//", "//evil.example/x", "///x", "/a//b", "/a;b;c=1", "/;", "/a/./b/../c",
	"/%41", "/a%20b", "/[x]{y}|z", "/^`<>\"\\", "/caf\xc3\xa9", "/\xff", "/@evil.example/x", "/http://x/",
	"/?", "/?x", "/x?x=1;y=2", "/x?x=%zz", "/x?%", "/x?a=b&c=d?e", "/x?{}|[]", "/x?a=//b", "//x?y=%zz;z", "//x?", "/x?+%20+",
	"/" + strings.Repeat("p", 8<<10-1), "/?" + strings.Repeat("a&", 8<<9-1),
}

// targetSeen sends a request line and returns the target that the backend got, out
// of the echo as text: JSON cannot show bytes that are no UTF-8.
func targetSeen(t *testing.T, s *stack.Stack, method, target string) string {
	t.Helper()
	p := s.Dial()
	p.Sendf("%s %s HTTP/1.1\r\nHost: example.org\r\n\r\n", method, target)
	response, body := p.Response(method)
	require.Equal(t, 200, response.StatusCode, "%s: %s", target, body)
	for line := range strings.Lines(body) {
		if rest, found := strings.CutPrefix(line, "  target"); found {
			return strings.TrimSpace(rest)
		}
	}
	require.Fail(t, "no target in the echo", body)
	return ""
}

func TestPathAndQueryArriveByteForByte(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("LOG_QUERY", "on"))
		var want, got []string
		for _, target := range targets {
			require.Equal(t, target, targetSeen(t, s, "GET", target))
			path, query, _ := strings.Cut(target, "?")
			want = append(want, logged(path)+"?"+logged(query))
		}
		s.Proxy.AwaitLines(len(targets))
		for _, r := range s.Proxy.Records() {
			require.Equal(t, "200", r["status"])
			got = append(got, r["path"]+"?"+r["query"])
		}
		require.ElementsMatch(t, want, got, "nor does the access log change them")
		require.Equal(t, "up", s.State(s.Backend(1)))
	})
}

// logged is a word as the access log writes it: quoted where it would not stay
// one. An empty one is left out.
func logged(word string) string {
	quoted := strconv.QuoteToASCII(word)
	if quoted != `"`+word+`"` || strings.ContainsAny(word, `="\ `) {
		return quoted
	}
	return word
}

// What begins with // must never be taken for an authority: not by the proxy,
// which would ask another host, and not by the backend.
func TestTwoSlashesAreNeverAnAuthority(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for _, target := range []string{"//evil.example", "//evil.example/x", "//user@evil.example/x?y", "//127.0.0.1:1/", "http://example.org//evil.example/x"} {
			want := strings.TrimPrefix(target, "http://example.org")
			require.Equal(t, want, targetSeen(t, s, "GET", target))
		}
	})
}

func TestPathOfABackendsURLIsAPrefix(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.WithPrefix("/base%2Fx/y"))
		for target, want := range map[string]string{
			"/":                       "/base%2Fx/y/",
			"/a%2Fb?c;d=%zz":          "/base%2Fx/y/a%2Fb?c;d=%zz",
			"//x":                     "/base%2Fx/y//x",
			"/?":                      "/base%2Fx/y/?",
			"/../z":                   "/base%2Fx/y/../z",
			"http://example.org":      "/base%2Fx/y/",
			"http://example.org?q":    "/base%2Fx/y/?q",
			"http://example.org/x?":   "/base%2Fx/y/x?",
			"http://example.org//x?%": "/base%2Fx/y//x?%",
		} {
			require.Equal(t, want, targetSeen(t, s, "GET", target), target)
		}
	})
}

func TestHealthCheckPathIsAskedForFromTheRoot(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		addr := testkit.Script(t, func(p *testkit.Peer) {
			for head := p.Head(); head != ""; head = p.Head() {
				status := "500 Internal Server Error"
				if strings.HasPrefix(head, "GET /ready?full=1 HTTP/1.1\r\n") {
					status = "200 OK"
				}
				p.Sendf("HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status)
			}
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr+"/base"), stack.With("HEALTH_CHECK_PATH", "/ready?full=1"))
		s.Proxy.AwaitLog(`msg="backend is up" backend=http://` + addr + `/base `)
		require.Equal(t, 500, s.Get("/").StatusCode, "unlike requests")
	})
}

// RFC 9112, 3.2.2: the authority of the target replaces Host.
func TestAbsoluteFormGoesToTheBackendAsOriginForm(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for target, want := range map[string]string{
			"http://one.example/x?y":  "/x?y",
			"HTTP://one.example":      "/",
			"https://one.example/":    "/",
			"http://one.example//b":   "//b",
			"http://one.example?a=%z": "/?a=%z",
		} {
			got := backendSees(t, s, "GET "+target+" HTTP/1.1\r\nHost: two.example\r\n\r\n")
			require.Equal(t, want, got.Target, target)
			require.Equal(t, s.Backend(1).URL(), "http://"+got.Host)
			require.Equal(t, []string{"one.example"}, got.Headers["X-Forwarded-Host"])
		}
	})
}

func TestOptionsAsteriskIsTheBackendsToAnswer(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for _, target := range []string{"*", "http://example.org"} {
			require.Equal(t, "*", targetSeen(t, s, "OPTIONS", target), target)
		}
		require.Equal(t, "/", targetSeen(t, s, "OPTIONS", "/"))
	})
}
