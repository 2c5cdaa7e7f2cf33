package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// sha256Of is a body's checksum as the sample backend reports it.
func sha256Of(body string) string {
	digest := sha256.Sum256([]byte(body))
	return hex.EncodeToString(digest[:])
}

// RFC 9110, 6.5: announced or not. What frames, routes or authenticates a
// message does not come behind it.
func TestTrailersPassInBothDirections(t *testing.T) {
	for name, announced := range map[string]string{"announced": "Trailer: X-Sum, Authorization\r\n", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
				got := make(chan string, 1)
				s := acted(t, mode, func(p *testkit.Peer, head string) {
					got <- head + p.Take(len("2\r\nab\r\n0\r\n")) + p.Head()
					p.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + announced +
						"\r\n2\r\ncd\r\n0\r\nX-Sum: 2\r\nX-Sum: 3\r\nAuthorization: x\r\nSet-Cookie: x\r\n\r\n")
				})
				p := s.Dial()
				p.Send("POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n" + announced +
					"\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\nX-Forwarded-For: 192.0.2.1\r\nHost: evil\r\n\r\n")
				request := <-got
				require.True(t, strings.HasSuffix(request, "2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"), request)
				require.Equal(t, announced != "", strings.Contains(request, "\r\nTrailer: X-Sum\r\n"), request)
				response, body := p.Response("POST")
				require.Equal(t, "cd", body)
				require.Equal(t, http.Header{"X-Sum": {"2", "3"}}, response.Trailer)
				require.NotContains(t, response.Header, "X-Sum", "never merged into the head")
				require.NotContains(t, response.Header, "Authorization")
			})
		})
	}
}

const expecting = "POST /expecting HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"

func TestContinueOfTheBackendIsRelayed(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		asked, allowed := make(chan string, 1), make(chan bool)
		defer close(allowed)
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			asked <- head
			<-allowed
			p.Send("HTTP/1.1 100 Continue\r\n\r\n")
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		}, stack.With("EXPECT_CONTINUE_TIMEOUT", "1h"))
		p := s.Dial()
		p.Send(expecting)
		require.Contains(t, <-asked, "\r\nExpect: 100-continue\r\n")
		requireSilence(t, p) // the proxy does not ask for what the backend may not want
		allowed <- true
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", p.Head())
		p.Send("body")
		response, body := p.Response("POST")
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "body", body)
	})
}

// requireSilence waits a moment for what must not come.
func requireSilence(t *testing.T, p *testkit.Peer) {
	t.Helper()
	require.NoError(t, p.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := p.R.Peek(1)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(testkit.Patience)))
}

// A client that waits to be asked is asked in the end.
func TestBackendThatIgnoresExpectGetsTheBody(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", p.Take(4))
		}, stack.With("EXPECT_CONTINUE_TIMEOUT", "1ms"))
		p := s.Dial()
		p.Send(expecting)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", p.Head())
		p.Send("body")
		_, body := p.Response("POST")
		require.Equal(t, "body", body)
	})
}

// A refusal is what Expect is for: the body stays where it is, and late bytes
// never become a request.
func TestRefusalOfAnExpectingRequestIsPassedOnWithoutTheBody(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		rest := make(chan string, 1)
		addr := actor(t, func(p *testkit.Peer, head string) {
			p.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
			p.CloseWrite()
			got, _ := p.Rest()
			rest <- got
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("EXPECT_CONTINUE_TIMEOUT", "1h"))
		p := s.Dial()
		p.Send(expecting)
		head := p.Head()
		require.True(t, strings.HasPrefix(head, "HTTP/1.1 413 "), head)
		require.Contains(t, head, "\r\nConnection: close\r\n")
		got, err := p.Rest()
		require.NoError(t, err)
		require.Equal(t, "no", got)
		require.Empty(t, <-rest, "of the body")
		record := s.Proxy.AwaitRecord("/expecting")
		require.Equal(t, []string{"413", "-"}, []string{record["status"], record["cause"]})
		require.NotContains(t, s.Proxy.Log(), "to=down")
	})
}

func TestInformationalResponsesAreRelayed(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Nominated\r\nX-Nominated: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\n\r\n"
	const final = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		next := make(chan bool)
		defer close(next) // no script may outlive a failure
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			p.Send(hints)
			<-next // each is with the client before there is more
			p.Send(hints)
			<-next
			p.Send("HTTP/1.1 100 Continue\r\n\r\n" + final)
		})
		p := s.Dial()
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 2 {
			require.Equal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", p.Head(), "without its hop-by-hop fields")
			next <- true
		}
		head := p.Head()
		require.True(t, strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n"), "a 100 that nobody asked for is not passed on: %s", head)
		require.NotContains(t, head, "Link")
		require.Equal(t, "ok", p.Take(2))

		old := s.Dial() // RFC 9110, 15.2: an HTTP/1.0 client knows none
		old.Send("GET / HTTP/1.0\r\n\r\n")
		next <- true
		next <- true
		got, err := old.Rest()
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n"), got)
		require.True(t, strings.HasSuffix(got, "\r\n\r\nok"), got)
	})
}

// RFC 9110, 9.3.2: the head is that of a GET, and what follows is the next
// response.
func TestHeadHasTheFieldsOfAGetAndNoBody(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		p := s.Dial()
		p.Send("HEAD /head?size=12345 HTTP/1.1\r\nHost: x\r\n\r\nGET /?size=3 HTTP/1.1\r\nHost: x\r\n\r\n")
		head := fieldsOf(t, p.Head())
		require.Equal(t, []string{"12345"}, head["Content-Length"])
		require.Equal(t, []string{"text/plain; charset=utf-8"}, head["Content-Type"])
		response, body := p.Response("GET")
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "012", body)
		require.Equal(t, "0", s.Proxy.AwaitRecord("/head")["sent"])
	})
}

// RFC 9110, 15.3.5 and 15.4.5.
func TestStatusesWithoutABodyHaveNone(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			if strings.HasPrefix(head, "GET /204 ") {
				p.Send("HTTP/1.1 204 No Content\r\nX-Stays: 1\r\n\r\n")
				return
			}
			p.Send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 100\r\n\r\n")
		})
		p := s.Dial()
		for range 2 { // on one connection, so that nothing may be left over
			p.Send("GET /204 HTTP/1.1\r\nHost: x\r\n\r\n")
			head := p.Head()
			require.True(t, strings.HasPrefix(head, "HTTP/1.1 204 No Content\r\n"), head)
			require.Equal(t, []string{"1"}, fieldsOf(t, head)["X-Stays"])
			require.NotContains(t, fieldsOf(t, head), "Content-Length")
			p.Send("GET /304 HTTP/1.1\r\nHost: x\r\n\r\n")
			head = p.Head()
			require.True(t, strings.HasPrefix(head, "HTTP/1.1 304 Not Modified\r\n"), head)
			require.Equal(t, []string{`"x"`}, fieldsOf(t, head)["Etag"])
		}
	})
}

// RFC 9112, 6.1: an HTTP/1.0 client knows no chunks. The end of the connection
// ends its answer.
func TestHTTP10ClientIsServed(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		got := s.Raw("GET /?chunked=on&size=100 HTTP/1.0\r\n\r\n")
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		require.True(t, strings.HasPrefix(head, "HTTP/1.0 200 OK\r\n"), head)
		require.NotContains(t, head, "Transfer-Encoding")
		require.Len(t, body, 100)

		got = s.Raw("POST / HTTP/1.0\r\nAccept: application/json\r\nContent-Length: 4\r\n\r\nbody")
		_, body, _ = strings.Cut(got, "\r\n\r\n")
		echo := parseEcho(t, body)
		require.Equal(t, "HTTP/1.1", echo.Protocol, "each hop has its own version (RFC 9110, 2.5)")
		require.Equal(t, sha256Of("body"), echo.Body.SHA256)

		got = s.Raw("GET /?size=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		require.Contains(t, got, "\r\nConnection: close\r\n", "whose messages may have been misread (RFC 9112, 6.1)")
		require.True(t, strings.HasSuffix(got, "\r\n\r\n012"), got)
	})
}

// A body of unknown length is chunked on either side, and one of known length
// keeps it.
func TestBodiesKeepTheirKindOfFraming(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for _, size := range []int{1, 4 << 10, 64<<10 + 1, 1 << 20} {
			body := strings.Repeat("x", size)
			path := fmt.Sprint("/", size)
			known := s.Do("POST", path, strings.NewReader(body), "Accept", "application/json")
			unknown := s.Do("POST", path+"/chunked?chunked=on", io.MultiReader(strings.NewReader(body)), "Accept", "application/json")
			require.EqualValues(t, len(known.Text), known.ContentLength)
			require.Equal(t, []string{"chunked"}, unknown.TransferEncoding)
			for answer, length := range map[*stack.Answer]int{&known: size, &unknown: -1} {
				echo := parseEcho(t, answer.Text)
				require.EqualValues(t, length, echo.ContentLength)
				require.EqualValues(t, size, echo.Body.Bytes)
				require.Equal(t, sha256Of(body), echo.Body.SHA256)
			}
			for p, answer := range map[string]stack.Answer{path: known, path + "/chunked": unknown} {
				record := s.Proxy.AwaitRecord(p)
				require.Equal(t, fmt.Sprint(size), record["received"])
				require.Equal(t, fmt.Sprint(len(answer.Text)), record["sent"])
			}
		}
	})
}

// Chunks are for one hop: the backend gets the same content, however it was
// cut.
func TestChunksOfAClientAreOnlyFraming(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		p := s.Dial()
		p.Send("POST / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
			"1\r\na\r\n" + "00000A\r\n0\r\n\r\n56789\r\n" + "3\r\nbcd\r\n" + "0\r\nX-Sum: 1\r\n\r\n")
		response, body := p.Response("POST")
		require.Equal(t, 200, response.StatusCode)
		echo := parseEcho(t, body)
		require.EqualValues(t, -1, echo.ContentLength)
		require.Equal(t, sha256Of("a0\r\n\r\n56789bcd"), echo.Body.SHA256)
		require.Equal(t, http.Header{"X-Sum": {"1"}}, echo.Trailers)
	})
}
