package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// acted is a proxy in front of one backend that the test acts: probes are
// answered, and the script follows every other request head. It returns to
// wait for the next request on the connection.
func acted(t *testing.T, mode stack.Mode, script func(p *testkit.Peer, head string), opts ...stack.Option) *stack.Stack {
	t.Helper()
	return stack.New(t, mode, append([]stack.Option{stack.WithBackends(0), stack.WithPeers(actor(t, script))}, opts...)...)
}

// actor is the address of such a backend.
func actor(t *testing.T, script func(p *testkit.Peer, head string)) string {
	t.Helper()
	return testkit.Script(t, func(p *testkit.Peer) {
		for {
			switch head := p.Head(); {
			case head == "":
				return
			case strings.HasPrefix(head, "GET /health "):
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			default:
				script(p, head)
			}
		}
	})
}

// repeats is a script that answers with the text, whatever is asked.
func repeats(text string) func(*testkit.Peer, string) {
	return func(p *testkit.Peer, _ string) { p.Send(text) }
}

// echoed is what the sample backend says it was sent.
type echoed struct {
	Method, Target, Path, Query, Protocol, Host string
	ContentLength                               int64 `json:"content_length"`
	Body                                        struct {
		Bytes  int64
		SHA256 string
	}
	Headers, Trailers http.Header
}

// backendSees sends the request head, which asks for an echo, and returns
// what the backend got.
func backendSees(t *testing.T, s *stack.Stack, head string) echoed {
	t.Helper()
	p := s.Dial()
	p.Send(strings.TrimSuffix(head, "\r\n") + "Accept: application/json\r\n\r\n")
	response, body := p.Response("GET")
	require.Equal(t, 200, response.StatusCode, body)
	return parseEcho(t, body)
}

func parseEcho(t *testing.T, text string) echoed {
	t.Helper()
	var e echoed
	require.NoError(t, json.Unmarshal([]byte(text), &e), text)
	return e
}

// fieldsOf are the fields of a head, by canonical name.
func fieldsOf(t *testing.T, head string) http.Header {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
	require.NoError(t, err)
	response.Body.Close()
	return response.Header
}

// RFC 9110, 7.6.1: what speaks to the next hop goes no further, nor does what
// Connection nominates.
func TestHopByHopFieldsOfARequestEndAtTheProxy(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\n"+
			"Connection: keep-alive, X-Nominated\r\nConnection: x-also , ,keep-alive\r\nX-Nominated: 1\r\nX-Also: 1\r\n"+
			"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\n"+
			"TE: gzip, trailers\r\nUpgrade: websocket\r\n"+
			"X-Stays: 1\r\nX-Stays: 2\r\nAuthorization: Basic eDp5\r\nCookie: a=1\r\n\r\n").Headers
		for _, gone := range []string{"Connection", "X-Nominated", "X-Also", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Upgrade"} {
			require.NotContains(t, got, gone)
		}
		require.Equal(t, []string{"trailers"}, got["Te"], "of TE only what this hop can do")
		require.Equal(t, []string{"1", "2"}, got["X-Stays"])
		require.Equal(t, []string{"Basic eDp5"}, got["Authorization"])
		require.Equal(t, []string{"a=1"}, got["Cookie"])
	})
}

func TestHopByHopFieldsOfAResponseEndAtTheProxy(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := acted(t, mode, repeats("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Nominated\r\nX-Nominated: 1\r\nKeep-Alive: timeout=5\r\n"+
			"Proxy-Authenticate: Basic\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTE: trailers\r\nX-Stays: 1\r\nX-Stays: 2\r\nContent-Length: 2\r\n\r\nok"))
		p := s.Dial()
		p.Send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
		got := fieldsOf(t, p.Head())
		require.Equal(t, "ok", p.Take(2))
		require.NotEmpty(t, got["Date"], "an origin without a clock gets one (RFC 9110, 6.6.1)")
		delete(got, "Date")
		require.Equal(t, http.Header{"X-Stays": {"1", "2"}, "Content-Length": {"2"}}, got)
	})
}

// What a client did not send, a backend does not get: neither a User-Agent
// nor an Accept-Encoding, which would change the answer.
func TestNothingIsAddedToARequestButForwardingFields(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		var names []string
		for name := range backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").Headers {
			names = append(names, name)
		}
		require.ElementsMatch(t, []string{"Accept", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}, names)
	})
}

// A field that is there twice, empty or long stays what it was.
func TestFieldValuesPassAsTheyAre(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: example.org\r\nX-Twice: a, b\r\nX-Twice: c\r\nX-Empty:\r\n"+
			"X-Blanks: \t a  b \t\r\nX-Quoted: \"a\\\"b\", {[;,=]}\r\nX-Text: caf\xc3\xa9\r\nX-Long: "+long+"\r\nx_lower.~case: 1\r\n\r\n").Headers
		require.Equal(t, []string{"a, b", "c"}, got["X-Twice"])
		require.Equal(t, []string{""}, got["X-Empty"])
		require.Equal(t, []string{"a  b"}, got["X-Blanks"])
		require.Equal(t, []string{`"a\"b", {[;,=]}`}, got["X-Quoted"])
		require.Equal(t, []string{"café"}, got["X-Text"])
		require.Equal(t, []string{long}, got["X-Long"])
		require.Equal(t, []string{"1"}, got["X_lower.~case"])
	})
}
