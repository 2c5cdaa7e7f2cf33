package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// backendSees sends the head, and returns the one that the backend got.
func backendSees(t *testing.T, request string, settings ...func(*config.Config)) string {
	t.Helper()
	r := newRig(t, []string{echoHead(t)}, settings...)
	p := r.dial()
	p.Send(request)
	response, got := p.Response("GET")
	require.Equal(t, 200, response.StatusCode, got)
	return got
}

func TestHostIsTheBackendsOwn(t *testing.T) {
	addr := echoHead(t)
	r := newRig(t, []string{addr})
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: www.example.org:81\r\n\r\n")
	_, got := p.Response("GET")
	require.Contains(t, got, "\r\nHost: "+strings.TrimPrefix(addr, "http://")+"\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Host: www.example.org:81\r\n")
}

func TestForwardingFieldsOfStrangersAreReplaced(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.1\r\nHost: example.org\r\n"+
		"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"+
		"X-Forwarded-Port: 1\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-For: 127.0.0.1\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Proto: http\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Host: example.org\r\n")
	for _, lie := range []string{"1.2.3.4", "5.6.7.8", "evil", "https", "X-Forwarded-Port", "X-Real-Ip", "\r\nForwarded"} {
		require.NotContains(t, got, lie)
	}
}

func trust(prefix string) func(*config.Config) {
	return func(c *config.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(prefix)} }
}

func TestForwardingFieldsOfTrustedProxiesAreExtended(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: example.org\r\n" +
		"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n\r\n"
	got := backendSees(t, request, trust("127.0.0.0/8"))
	require.Contains(t, got, "\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8, 127.0.0.1\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Proto: https\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Host: www.example.org\r\n")
	require.Contains(t, backendSees(t, request, trust("10.0.0.0/8")), "\r\nX-Forwarded-For: 127.0.0.1\r\n")
}

func TestTrustedProxyThatSaysNothingIsTheClient(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", trust("127.0.0.1/32"))
	require.Contains(t, got, "\r\nX-Forwarded-For: 127.0.0.1\r\n")
	require.Contains(t, got, "\r\nX-Forwarded-Proto: http\r\n")
}

func TestHostThatWasNotSaidIsNotForwarded(t *testing.T) {
	require.NotContains(t, backendSees(t, "GET / HTTP/1.0\r\n\r\n"), "X-Forwarded-Host")
}

// CVE-2022-31813 and its family: fields of ours cannot be nominated away.
func TestForwardingFieldsCannotBeNominatedAway(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: example.org\r\nX-Forwarded-For: 1.2.3.4\r\n" +
		"Connection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Host, Content-Length\r\n\r\n"
	for _, settings := range [][]func(*config.Config){nil, {trust("127.0.0.1/32")}} {
		got := backendSees(t, request, settings...)
		require.Contains(t, got, "\r\nX-Forwarded-For: 127.0.0.1\r\n")
		require.Contains(t, got, "\r\nX-Forwarded-Host: example.org\r\n")
		require.Contains(t, got, "\r\nX-Forwarded-Proto: http\r\n")
	}
}

func TestHopByHopFieldsOfTheRequestEndHere(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, X-Nominated\r\nX-Nominated: 1\r\n"+
		"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip, trailers\r\nUpgrade: websocket\r\n"+
		"X-Stays: 1\r\nAuthorization: Basic eDp5\r\n\r\n")
	for _, gone := range []string{"Connection", "X-Nominated", "Keep-Alive", "Proxy-", "gzip", "Upgrade"} {
		require.NotContains(t, got, gone)
	}
	require.Contains(t, got, "\r\nTe: trailers\r\n")
	require.Contains(t, got, "\r\nX-Stays: 1\r\n")
	require.Contains(t, got, "\r\nAuthorization: Basic eDp5\r\n")
}

func TestNothingIsAddedThatTheClientDidNotSend(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	for _, absent := range []string{"User-Agent", "Accept-Encoding", "Accept"} {
		require.NotContains(t, got, absent)
	}
}

func TestHopByHopFieldsOfTheResponseEndHere(t *testing.T) {
	addr := testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Nominated\r\nX-Nominated: 1\r\nKeep-Alive: timeout=5\r\n" +
			"Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok")
	})
	r := newRig(t, []string{addr})
	p := r.dial()
	p.Send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	head := p.Head()
	for _, gone := range []string{"Connection", "X-Nominated", "Keep-Alive", "Proxy-", "Upgrade"} {
		require.NotContains(t, head, gone)
	}
	require.Contains(t, head, "\r\nX-Stays: 1\r\n")
	require.Equal(t, "ok", p.Take(2))
}

func TestResponseIsPassedThroughUntouched(t *testing.T) {
	for _, status := range []int{200, 201, 206, 301, 400, 404, 429, 500, 502, 503, 504, 599} {
		addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>")
		})
		r := newRig(t, []string{addr})
		response, body := r.get("/")
		require.Equal(t, status, response.StatusCode)
		require.Equal(t, "<html>", body)
		require.Equal(t, []string{"a=1", "b=2"}, response.Header["Set-Cookie"])
		require.NotContains(t, response.Header, "Content-Type", "guessed")
		r.failed(hop.None, status, false)
	}
}

func TestHeadHasNoBodyAndKeepsItsLength(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Write([]byte("body"))
	})
	r := newRig(t, []string{addr})
	p := r.dial()
	p.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Contains(t, p.Head(), "\r\nContent-Length: 4\r\n")
	require.True(t, strings.HasPrefix(p.Head(), "HTTP/1.1 200 OK\r\n"))
}

func TestBodiesPassInBothDirections(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		w.Write(body)
	})
	r := newRig(t, []string{addr})
	for _, size := range []int{1, 4096, 64 << 10, 64<<10 + 1, 3 << 20} {
		body := distinct(size)
		response, got := r.do(httptest.NewRequest("POST", r.url("/"), strings.NewReader(body)))
		require.Equal(t, fmt.Sprint(size), response.Header.Get("X-Length"))
		require.True(t, body == got)
		record := r.record()
		require.EqualValues(t, size, record.Received)
		require.EqualValues(t, size, record.Sent)
		// Chunked, since the length is not known.
		response, got = r.do(httptest.NewRequest("POST", r.url("/"), io.MultiReader(strings.NewReader(body))))
		require.Equal(t, "-1", response.Header.Get("X-Length"))
		require.True(t, body == got)
		r.record()
	}
}

// RFC 9112, 6.1: an HTTP/1.0 client knows no chunks.
func TestChunkedResponseIsClosedDelimitedForHTTP10(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "one")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "two")
	})
	r := newRig(t, []string{addr})
	got := r.raw("GET / HTTP/1.0\r\n\r\n")
	require.NotContains(t, got, "Transfer-Encoding")
	require.True(t, strings.HasSuffix(got, "\r\n\r\nonetwo"), got)
}
