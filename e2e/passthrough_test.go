package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

func TestResponseIsPassedThroughUntouched(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			status := strings.Trim(strings.Fields(head)[1], "/")
			p.Sendf("HTTP/1.1 %s Whatever\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n"+
				"Server: origin\r\nETag: \"x\"\r\nX-Empty:\r\nLocation: http://elsewhere.example/%%2F\r\nContent-Length: 7\r\n\r\n<html>\n", status)
		})
		for _, status := range []int{200, 201, 206, 299, 301, 307, 400, 401, 404, 418, 429, 500, 502, 503, 504, 599} {
			path := fmt.Sprint("/", status)
			answer := s.Get(path)
			require.Equal(t, status, answer.StatusCode)
			require.Equal(t, "<html>\n", answer.Text)
			require.Equal(t, http.Header{
				"Date": {"Mon, 23 Nov 2026 12:00:00 GMT"}, "Set-Cookie": {"a=1; Path=/", "b=2"}, "Server": {"origin"}, "Etag": {`"x"`},
				"X-Empty": {""}, "Location": {"http://elsewhere.example/%2F"}, "Content-Length": {"7"},
			}, answer.Header, "nothing is lost, and nothing added: no Content-Type is guessed")
			record := s.Proxy.AwaitRecord(path)
			require.Equal(t, []string{fmt.Sprint(status), "-"}, []string{record["status"], record["cause"]})
		}
		require.NotContains(t, s.Proxy.Log(), "to=down")
	})
}

// The backend works, whatever it has to say.
func TestErrorsOfTheBackendAreItsAnswerAndNotBlamed(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for status := 400; status < 600; status++ {
			answer := s.Get(fmt.Sprintf("/%d?status=%[1]d&size=10", status))
			require.Equal(t, status, answer.StatusCode)
			require.Equal(t, s.Backend(1).ID(), answer.From())
			require.Equal(t, "0123456789", answer.Text)
		}
		s.Proxy.AwaitRecord("/599")
		require.Equal(t, 0, s.Changes(s.Backend(1), "down"))
	})
}

// What the client did not ask for it may not understand: the proxy neither
// unpacks nor asks for more than the client did.
func TestContentCodingIsLeftAlone(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, "text")
	require.NoError(t, w.Close())
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		heads := make(chan string, 1)
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			heads <- head
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.String())
		})
		for _, asked := range [][]string{nil, {"Accept-Encoding", "gzip, br;q=0.5"}, {"Accept-Encoding", ""}} {
			answer := s.Do("GET", "/", nil, asked...)
			require.Equal(t, packed.String(), answer.Text)
			require.Equal(t, []string{"gzip"}, answer.Header["Content-Encoding"])
			require.Equal(t, strconv.Itoa(packed.Len()), answer.Header.Get("Content-Length"))
			if asked == nil {
				require.NotContains(t, <-heads, "Accept-Encoding")
			} else {
				require.Contains(t, <-heads, "\r\nAccept-Encoding: "+asked[1]+"\r\n")
			}
		}
	})
}

// ownAnswer requires the answer to be one of the proxy itself, with these
// fields besides those that all have, and nothing else: no address, no text
// of an error.
func ownAnswer(t *testing.T, text, method string, status int, cause string, fields http.Header) {
	t.Helper()
	request, err := http.NewRequest(method, "http://x/", nil)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	line := fmt.Sprintf("%d %s: %s\n", status, http.StatusText(status), cause)
	require.Equal(t, line, string(body))
	require.Equal(t, status, response.StatusCode)
	require.NotEmpty(t, response.Header["Date"])
	delete(response.Header, "Date")
	want := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {strconv.Itoa(len(line))}, "Cache-Control": {"no-store"}}
	for name, values := range fields {
		want[name] = values
	}
	if response.Close {
		response.Header["Connection"] = []string{"close"} // where http.ReadResponse keeps it
	}
	require.Equal(t, want, response.Header)
}

func TestProxysOwnAnswersAreOneLineAndTellNothing(t *testing.T) {
	closed := http.Header{"Connection": {"close"}}
	const post = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	const get = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1),
			stack.With("HEALTH_CHECK_INTERVAL", "1h"), stack.With("HEALTH_PASSIVE_FALL", "1000"), // so that it stays up throughout
			stack.With("RESPONSE_HEAD_TIMEOUT", "50ms"), stack.With("CLIENT_BODY_TIMEOUT", "50ms"),
			stack.With("MAX_BODY_BYTES", "1KiB"), stack.With("MAX_TARGET_BYTES", "64B"))
		for _, c := range []struct {
			request string
			status  int
			cause   string
			fields  http.Header
		}{
			{"GET /?fault=close" + get, 502, "reset_before_response", nil},
			{"GET /?fault=reset" + get, 502, "reset_before_response", nil},
			{"GET /?fault=garbage" + get, 502, "bad_response", nil},
			{"GET /?fault=hang" + get, 504, "response_timeout", nil},
			{"GET *" + get, 400, "bad_request", nil},
			{"GET http://user:secret@x/" + get, 400, "bad_request", nil},
			{"CONNECT x:80" + get, 405, "method_not_allowed", http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}}},
			{post + "Content-Length: 4\r\n\r\nhal", 408, "client_timeout", nil},
			{post + "Content-Length: 1025\r\n\r\n", 413, "body_too_large", nil},
			{"GET /" + strings.Repeat("x", 64) + get, 414, "target_too_long", nil},
			{post + "Expect: 100-continue, miracles\r\n\r\n", 417, "expectation_failed", nil},
			{"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 128) + "\r\n", 431, "header_too_large", nil},
		} {
			want := http.Header{"Connection": {"close"}}
			for name, values := range c.fields {
				want[name] = values
			}
			ownAnswer(t, s.Raw(c.request), "GET", c.status, c.cause, want)
		}
		s.Backend(1).Kill()
		status, cause := 502, "dial_refused"
		if mode == stack.Containers {
			status, cause = 504, "dial_timeout" // nobody has the address any more, and nobody says so in time
		}
		ownAnswer(t, s.Raw("GET /"+get), "GET", status, cause, closed)
	})
}

func TestProxysOwn503IsOfTheSameForm(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers("127.0.0.1:1"))
		got := s.Raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		ownAnswer(t, got, "GET", 503, "no_backend_alive", http.Header{"Retry-After": {"1"}, "Connection": {"close"}})
	})
}
