package proxy

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// Whatever target gets past net/http and hop, a backend is asked for the same
// bytes, in origin-form: never for another authority.
func FuzzRetarget(f *testing.F) {
	for _, target := range []string{"/", "//", "//evil/x", "//evil/{x}", "/%zz", "/a%2Fb", "/?x=%zz", "/?", "*", "http://h//x", "http://h?x", "/a b"} {
		f.Add("GET", target, "")
		f.Add("OPTIONS", target, "/prefix")
	}
	f.Fuzz(func(t *testing.T, method, target, prefix string) {
		in, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil || in.RequestURI != target {
			return
		}
		var backends []config.Backend
		if config.Backends(&backends).Set("http://backend:80"+prefix) != nil || len(backends) != 1 || backends[0].URL.Host != "backend:80" {
			return
		}
		backend := backends[0].URL
		want, ok := hop.Target(in.Method, target)
		if !ok || in.Method == http.MethodConnect {
			return
		}
		u := &upstream{prefix: backend.EscapedPath(), backend: pool.New([]config.Backend{{URL: backend}}, pool.Settings{}, nil).Backends()[0]}
		out := in.Clone(t.Context())
		u.retarget(in, out)
		got := out.URL.RequestURI()
		if out.URL.Host != "backend:80" || got != "*" && !strings.HasPrefix(got, "/") {
			t.Fatalf("%q became %q at %q", target, got, out.URL.Host)
		}
		want = string(hop.AppendTarget(nil, in.Method, u.prefix, want))
		if got != want && !(strings.HasPrefix(want, "//") && sameBytes(got, want)) {
			t.Fatalf("%q became %q, want %q", target, got, want)
		}
	})
}

// sameBytes reports whether two targets differ in nothing but the escaping of
// their paths.
func sameBytes(a, b string) bool {
	aPath, aQuery, aHas := strings.Cut(a, "?")
	bPath, bQuery, bHas := strings.Cut(b, "?")
	aPath, aErr := url.PathUnescape(aPath)
	bPath, bErr := url.PathUnescape(bPath)
	return aErr == nil && bErr == nil && aPath == bPath && aQuery == bQuery && aHas == bHas
}
