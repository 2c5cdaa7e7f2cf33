package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// untouched is a backend that fails the test if anybody comes.
func untouched(t *testing.T) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		if head := p.Head(); head != "" {
			t.Errorf("backend got %q", head)
		}
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	const host = "Host: example.org\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		cause   hop.Cause
	}{
		"CONNECT":           {"CONNECT example.org:443 HTTP/1.1\r\n" + host + "\r\n", 405, hop.MethodNotAllowed},
		"CONNECT with path": {"CONNECT /x HTTP/1.1\r\n" + host + "\r\n", 405, hop.MethodNotAllowed},
		"HTTP/2 preface":    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, hop.BadRequest},
		"PRI as a method":   {"PRI * HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"PRI with path":     {"PRI / HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"# in path":         {"GET /a#b HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"# in query":        {"GET /a?b#c HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"* without OPTIONS": {"GET * HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"other scheme":      {"GET ftp://example.org/ HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"no authority":      {"GET http:///x HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"user information":  {"GET http://u:p@example.org/ HTTP/1.1\r\n" + host + "\r\n", 400, hop.BadRequest},
		"upgrade and body": {"POST / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
			400, hop.BadRequest},
		"upgrade and chunks": {"POST / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			400, hop.BadRequest},
		"unknown expectation": {"POST / HTTP/1.1\r\n" + host + "Expect: y 100-continue\r\nContent-Length: 1\r\n\r\nx", 417, hop.ExpectationFailed},
		"two expectations": {"POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
			417, hop.ExpectationFailed},
		"target too long": {"GET /" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\n" + host + "\r\n", 414, hop.TargetTooLong},
		"too many lines":  {"GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 128) + "\r\n", 431, hop.HeaderTooLarge},
		"head too large": {"GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("x", 32<<10+1-len("GET / HTTP/1.1\r\nA: \r\n\r\n")-len(host)) + "\r\n\r\n",
			431, hop.HeaderTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{untouched(t)})
			// A second request behind it must not be answered.
			got := r.raw(c.request + "GET /smuggled HTTP/1.1\r\n" + host + "\r\n")
			require.True(t, strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", c.status)), got)
			require.Equal(t, 1, strings.Count(got, "HTTP/1.1 "), got)
			require.Contains(t, got, "\r\nConnection: close\r\n")
			require.True(t, strings.HasSuffix(got, ": "+c.cause.String()+"\n"), got)
			r.failed(c.cause, c.status, false)
			require.Empty(t, r.records, "one request, one record")
		})
	}
}

func TestLimitsAreExact(t *testing.T) {
	const rest = " HTTP/1.1\r\nHost: x\r\n"
	fits := map[string]string{
		"target": "GET /" + strings.Repeat("x", 8<<10-1) + rest + "\r\n",
		"lines":  "GET /" + rest + strings.Repeat("A: b\r\n", 126) + "\r\n",
		"size":   "GET /" + rest + "A: " + strings.Repeat("x", 32<<10-len("GET /")-len(rest)-len("A: \r\n\r\n")) + "\r\n\r\n",
	}
	for name, request := range fits {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{echoHead(t)})
			p := r.dial()
			p.Send(request)
			response, _ := p.Response("GET")
			require.Equal(t, 200, response.StatusCode)
		})
	}
}

// What net/http refuses before any handler runs: no record, but never a
// request to a backend either.
func TestRequestsThatNetHTTPRefuses(t *testing.T) {
	for name, request := range map[string]string{
		"space before colon":  "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
		"no host":             "GET / HTTP/1.1\r\n\r\n",
		"two hosts":           "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"bad host":            "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
		"two lengths":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
		"length list":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nxy",
		"length +1":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
		"length 0x1":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx",
		"length too large":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775808\r\n\r\nx",
		"unknown coding":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
		"chunked twice":       "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunked not last":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
		"blank in target":     "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
		"control in target":   "GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
		"NUL in value":        "GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
		"bare CR in value":    "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
		"name with blank":     "GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
		"empty name":          "GET / HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n",
		"no slash in target":  "GET @evil.example/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"HTTP/2.0":            "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
		"HTTP/1.10":           "GET / HTTP/1.10\r\nHost: x\r\n\r\n",
		"no version":          "GET /\r\nHost: x\r\n\r\n",
		"lower case version":  "GET / http/1.1\r\nHost: x\r\n\r\n",
		"method with control": "G\x01T / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{untouched(t)})
			got := r.raw(request + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
			require.Regexp(t, `^HTTP/1\.1 (400|417|501|505) `, got)
			require.Equal(t, 1, strings.Count(got, "HTTP/1.1 "), got)
			require.Contains(t, strings.ToLower(got), "\r\nconnection: close\r\n")
			require.Empty(t, r.records)
		})
	}
}

func TestBodyAboveTheMaximumIsRefused(t *testing.T) {
	limit := func(c *config.Config) { c.Limits.BodyBytes = 10 }
	t.Run("by its length", func(t *testing.T) {
		r := newRig(t, []string{untouched(t)}, limit)
		got := r.raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
		require.True(t, strings.HasPrefix(got, "HTTP/1.1 413 "), got)
		r.failed(hop.BodyTooLarge, 413, false)
	})
	t.Run("chunk by chunk", func(t *testing.T) {
		cut := make(chan string, 1)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			rest, _ := p.Rest()
			cut <- rest
		})}, limit)
		got := r.raw("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n")
		require.True(t, strings.HasPrefix(got, "HTTP/1.1 413 "), got)
		r.failed(hop.BodyTooLarge, 413, false)
		rest := <-cut
		require.NotContains(t, rest, "0\r\n\r\n", "the backend must not take it for complete")
		require.NotContains(t, rest, "g", "what is beyond the maximum does not arrive")
	})
	t.Run("not at the maximum", func(t *testing.T) {
		r := newRig(t, []string{backend(t, func(http.ResponseWriter, *http.Request) {})}, limit)
		p := r.dial()
		p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789")
		response, _ := p.Response("POST")
		require.Equal(t, 200, response.StatusCode)
	})
}

// The proxy's own answers say what happened, and nothing of what is behind.
func TestAnswersOfTheProxyLeakNothing(t *testing.T) {
	r := newRig(t, []string{"127.0.0.1:1"})
	response, body := r.get("/secret?token")
	require.Equal(t, 502, response.StatusCode)
	require.Equal(t, "502 Bad Gateway: dial_refused\n", body)
	require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	require.Len(t, response.Header, 4, "Date and Content-Length besides: %v", response.Header)
	r.failed(hop.DialRefused, 502, true)

	response, body = r.get("/")
	require.Equal(t, 503, response.StatusCode)
	require.Equal(t, "503 Service Unavailable: no_backend_alive\n", body)
	require.Equal(t, "10", response.Header.Get("Retry-After"), "the health interval")
	r.failed(hop.NoBackendAlive, 503, true)
	require.NotContains(t, r.log.String(), "token", "queries stay out of the logs")
}

// RFC 9110, 15.5.6: it must.
func TestRefusedMethodIsToldWhichAreAllowed(t *testing.T) {
	r := newRig(t, []string{untouched(t)})
	require.Contains(t, r.raw("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
}

// RFC 9110, 10.1.1: expectations are compared without regard to case.
func TestExpectationIsUnderstoodInAnyCase(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))})
	require.Contains(t, r.raw("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), "HTTP/1.1 200 OK\r\n")
}
