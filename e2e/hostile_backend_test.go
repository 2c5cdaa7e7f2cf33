package e2e

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// says is a script that answers with the text.
func says(text string) func(*testkit.Peer) { return func(p *testkit.Peer) { p.Send(text) } }

// hostile is a backend that follows the script for a request of a path, and
// closes the connection behind it. Other paths are answered well, with the
// path.
func hostile(t testing.TB, scripts map[string]func(*testkit.Peer)) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		for {
			_ = p.SetDeadline(time.Now().Add(stack.Patience))
			head := p.Head()
			words := strings.Fields(head)
			if len(words) < 2 {
				return
			}
			if script := scripts[words[1]]; script != nil {
				script(p)
				return
			}
			p.Send(wellAnswered(words[1]))
		}
	})
}

func wellAnswered(path string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Backend: hostile\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
}

// newHostile is a stack with one such backend. It stays in, whatever requests
// make of it, so that one stack serves a table.
func newHostile(t *testing.T, mode stack.Mode, scripts map[string]func(*testkit.Peer), opts ...stack.Option) *stack.Stack {
	opts = append([]stack.Option{stack.WithBackends(0), stack.WithPeers(hostile(t, scripts)),
		stack.With("HEALTH_PASSIVE_FALL", "1000"), stack.With("HEALTH_CHECK_INTERVAL", never)}, opts...)
	return stack.New(t, mode, opts...)
}

// requireWell requires another client's answer to be its own.
func requireWell(t testing.TB, s *stack.Stack) {
	t.Helper()
	answer, err := s.Try("GET", "/well", nil)
	require.NoError(t, err)
	require.Equal(t, "/well", answer.Text)
}

const ok = "HTTP/1.1 200 OK\r\n"

// Heads that are none: a 502 of the proxy's, and nothing of them for the client.
var badHeads = map[string]string{
	"two lengths":                 ok + "Content-Length: 4\r\nContent-Length: 6\r\n\r\nsecret",
	"list of lengths":             ok + "Content-Length: 4, 6\r\n\r\nsecret",
	"length with a sign":          ok + "Content-Length: +6\r\n\r\nsecret",
	"length below zero":           ok + "Content-Length: -6\r\n\r\nsecret",
	"length above 2^63":           ok + "Content-Length: 9223372036854775808\r\n\r\nsecret",
	"length that is no number":    ok + "Content-Length: 6x\r\n\r\nsecret",
	"unknown coding":              ok + "Transfer-Encoding: gzip\r\n\r\nsecret",
	"chunked twice":               ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
	"chunked not last":            ok + "Transfer-Encoding: chunked, gzip\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
	"chunked behind a bare CR":    ok + "A: b\rTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
	"blank before a colon":        ok + "secret : b\r\nContent-Length: 0\r\n\r\n",
	"line without a colon":        ok + "secret\r\nContent-Length: 0\r\n\r\n",
	"blank in a name":             ok + "se cret: b\r\nContent-Length: 0\r\n\r\n",
	"empty name":                  ok + ": secret\r\nContent-Length: 0\r\n\r\n",
	"folded line at the start":    ok + " secret: b\r\nContent-Length: 0\r\n\r\n",
	"NUL in a value":              ok + "secret: b\x00c\r\nContent-Length: 0\r\n\r\n",
	"control byte in a value":     ok + "secret: b\x01c\r\nContent-Length: 0\r\n\r\n",
	"bare CR in a value":          ok + "secret: b\rc\r\nContent-Length: 0\r\n\r\n",
	"head of 1 MiB in one line":   ok + "secret: " + strings.Repeat("x", 1<<20) + "\r\nContent-Length: 0\r\n\r\n",
	"head of 1 MiB in many lines": ok + strings.Repeat("secret: "+strings.Repeat("x", 1014)+"\r\n", 1024) + "Content-Length: 0\r\n\r\n",
	"status line of 1 MiB":        "HTTP/1.1 200 " + strings.Repeat("secret", 1<<20/6) + "\r\nContent-Length: 0\r\n\r\n",
	"status below 100":            "HTTP/1.1 099 secret\r\nContent-Length: 0\r\n\r\n",
	"status of two digits":        "HTTP/1.1 20 secret\r\nContent-Length: 0\r\n\r\n",
	"status of four digits":       "HTTP/1.1 2000 secret\r\nContent-Length: 0\r\n\r\n",
	"status that is no number":    "HTTP/1.1 2x0 secret\r\nContent-Length: 0\r\n\r\n",
	"HTTP/2 to HTTP/1.1":          "HTTP/9 200 secret\r\nContent-Length: 0\r\n\r\n",
	"another protocol":            "220 secret ESMTP\r\n",
	"HTTP/0.9":                    "secret\r\n\r\n",
	"101 that nobody asked for":   "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: secret\r\n\r\nsecret",
	"1xx without end":             strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100000),
	"1xx of 1 MiB":                "HTTP/1.1 103 Early Hints\r\n" + strings.Repeat("secret: "+strings.Repeat("x", 1014)+"\r\n", 1024) + "\r\n" + ok + "Content-Length: 0\r\n\r\n",
}

func TestMalformedHeadIsA502AndStaysHere(t *testing.T) {
	scripts := make(map[string]func(*testkit.Peer))
	var names []string
	for name, text := range badHeads {
		names = append(names, name)
		scripts[fmt.Sprintf("/bad-%d", len(names)-1)] = says(text)
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts)
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				path := fmt.Sprintf("/bad-%d", i)
				answer, err := s.Try("GET", path, nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusBadGateway, answer.StatusCode)
				require.Equal(t, "502 Bad Gateway: bad_response\n", answer.Text)
				require.NotContains(t, fmt.Sprint(answer.Header), "ecret")
				require.Equal(t, "bad_response", s.Proxy.AwaitRecord(path)["cause"])
				requireWell(t, s)
			})
		}
	})
}

// A head that never ends is bounded in bytes, and one that pauses in time.
func TestHeadWithoutEndIsBounded(t *testing.T) {
	written := make(chan int, 1)
	scripts := map[string]func(*testkit.Peer){
		"/endless": func(p *testkit.Peer) {
			p.Send(ok)
			n := 0
			for block := strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 64); n < 64<<20; n += len(block) {
				if _, err := io.WriteString(p, block); err != nil {
					break
				}
			}
			tell(written, n)
		},
		"/pauses": func(p *testkit.Peer) { p.Send(ok + "A: b\r\n"); p.AwaitEnd() },
		"/trickles": func(p *testkit.Peer) {
			p.Send(ok + "A: ")
			for {
				time.Sleep(50 * time.Millisecond) // the slowness is the subject
				if _, err := io.WriteString(p, "x"); err != nil {
					return
				}
			}
		},
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts, stack.With("RESPONSE_HEAD_TIMEOUT", "500ms"))
		require.Equal(t, "502 Bad Gateway: bad_response\n", s.Get("/endless").Text)
		require.Less(t, told(t, written), 64<<20, "the proxy does not read for ever")
		require.Equal(t, "504 Gateway Timeout: response_timeout\n", s.Get("/pauses").Text)
		require.Equal(t, "504 Gateway Timeout: response_timeout\n", s.Get("/trickles").Text)
		requireWell(t, s)
	})
}

// Bodies that break off. half has come before.
var brokenBodies = map[string]string{
	"short length":                     ok + "Content-Length: 10\r\n\r\nhalf",
	"chunks without a last one":        ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	"last chunk without its end":       ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
	"trailers without their end":       ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nA: b\r\n",
	"chunk that is cut":                ok + "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf",
	"chunk size that is cut":           ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n1",
	"chunk size that is no number":     ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n0\r\n\r\n",
	"chunk size with a sign":           ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n+1\r\nx\r\n0\r\n\r\n",
	"chunk size above 2^64":            ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n10000000000000001\r\nx\r\n0\r\n\r\n",
	"chunk size and a bare LF":         ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n1\nx\r\n0\r\n\r\n",
	"chunk longer than it says":        ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalfx\r\n0\r\n\r\n",
	"chunk shorter than it says":       ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n6\r\nx\r\n0\r\n\r\n",
	"chunk data and anything for CRLF": ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalfXX0\r\n\r\n",
	"trailer without a colon":          ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nA\r\n\r\n",
	"chunk extensions in a flood": ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n" +
		strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 1000) + "0\r\n\r\n",
}

// Clients of each version, and thus of each way for a body to end.
var versions = map[string]string{
	"HTTP/1.1": "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
	"HTTP/1.0": "GET %s HTTP/1.0\r\n\r\n",
}

// requireCut requires the client to have been told that its answer is not
// whole: by its length or its chunks, or else by a reset.
func requireCut(t testing.TB, client *testkit.Peer) {
	t.Helper()
	response, err := http.ReadResponse(client.R, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.Error(t, err, "a clean end of %q", body)
	requireEnded(t, err)
}

func TestBrokenBodyNeverEndsCleanly(t *testing.T) {
	scripts := make(map[string]func(*testkit.Peer))
	paths := make(map[string]string)
	add := func(name string, script func(*testkit.Peer)) {
		paths[name] = fmt.Sprintf("/broken-%d", len(paths))
		scripts[paths[name]] = script
	}
	for name, text := range brokenBodies {
		add(name, says(text))
	}
	// A reset destroys what the proxy has not read yet, so the client must have
	// the first half before.
	delivered := make(chan bool, 1)
	for name, text := range map[string]string{
		"reset in a length":                    ok + "Content-Length: 10\r\n\r\nhalf",
		"reset in chunks":                      ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"reset where only the end is the end":  ok + "Connection: close\r\n\r\nhalf",
		"reset where HTTP/1.0 knows no length": "HTTP/1.0 200 OK\r\n\r\nhalf",
	} {
		add(name, func(p *testkit.Peer) {
			p.Send(text)
			waitFor(delivered)
			p.Reset()
		})
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts)
		for name, path := range paths {
			for version, request := range versions {
				t.Run(name+", "+strings.ReplaceAll(version, "/", " "), func(t *testing.T) {
					client := s.Dial()
					client.Sendf(request, path)
					if strings.HasPrefix(name, "reset ") {
						_, err := client.R.Peek(1)
						require.NoError(t, err)
						tell(delivered, true)
					}
					requireCut(t, client)
					requireWell(t, s)
				})
			}
			require.Equal(t, "truncated_by_backend", s.Proxy.AwaitRecord(path)["cause"], name)
		}
	})
}

// A body that stops is cut, too, when its time is over; what came is
// delivered long before.
func TestBodyThatStopsIsCut(t *testing.T) {
	hang := func(text string) func(*testkit.Peer) {
		return func(p *testkit.Peer) { p.Send(text); p.AwaitEnd() }
	}
	scripts := map[string]func(*testkit.Peer){
		"/length":  hang(ok + "Content-Length: 10\r\n\r\nhalf"),
		"/chunks":  hang(ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
		"/neither": hang(ok + "Connection: close\r\n\r\nhalf"),
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for cause, setting := range map[string]stack.Option{
			"backend_body_timeout": stack.With("BACKEND_BODY_TIMEOUT", "200ms"),
			"total_timeout":        stack.With("TOTAL_TIMEOUT", "1s"), // with the head in it, on a busy machine
		} {
			s := newHostile(t, mode, scripts, setting)
			cut := make(map[string]*testkit.Peer)
			for path := range scripts {
				for version, request := range versions {
					cut[version+" of "+path] = s.Dial()
					cut[version+" of "+path].Sendf(request, path)
				}
			}
			for what, client := range cut {
				response, err := http.ReadResponse(client.R, nil)
				require.NoError(t, err)
				half := make([]byte, 4)
				_, err = io.ReadFull(response.Body, half)
				require.NoError(t, err)
				require.Equal(t, "half", string(half))
				_, err = io.ReadAll(response.Body)
				require.Error(t, err, "a clean end, %s", what)
				requireEnded(t, err)
			}
			for path := range scripts {
				require.Equal(t, cause, s.Proxy.AwaitRecord(path)["cause"])
			}
			requireWell(t, s)
		}
	})
}

// closing is a script that answers and then waits for the proxy to end the
// connection, and tells of it.
func closing(ended chan<- bool, text string) func(*testkit.Peer) {
	return func(p *testkit.Peer) {
		p.Send(text)
		if _, err := p.Rest(); !errors.Is(err, os.ErrDeadlineExceeded) {
			tell(ended, true)
		}
	}
}

// poison is an answer to nobody's request.
const poison = "HTTP/1.1 200 OK\r\nX-Backend: hostile\r\nContent-Length: 6\r\n\r\npoison"

// What comes behind the end of a response, or where there can be no body, is
// left out, and the connection is not used again.
func TestBytesBehindAResponseEndTheConnection(t *testing.T) {
	ended := make(chan bool, 1)
	cases := []struct{ name, method, answer, body string }{
		{"another answer behind a length", "GET", wellAnswered("/own") + poison, "/own"},
		{"another answer behind the last chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\n/own\r\n0\r\n\r\n" + poison, "/own"},
		{"no HTTP behind a length", "GET", wellAnswered("/own") + "poison", "/own"},
		{"a CRLF too many", "GET", wellAnswered("/own") + "\r\n", "/own"},
		{"another answer behind an empty one", "GET", ok + "Content-Length: 0\r\n\r\n" + poison, ""},
		{"HEAD with a body", "HEAD", wellAnswered("poison"), ""},
		{"HEAD with chunks", "HEAD", ok + "Transfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n", ""},
		{"204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison", ""},
		{"204 with chunks", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n", ""},
		{"304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison", ""},
		{"304 with an answer behind it", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + poison, ""},
	}
	scripts := make(map[string]func(*testkit.Peer))
	for i, c := range cases {
		scripts[fmt.Sprintf("/behind-%d", i)] = closing(ended, c.answer)
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		silenceTransport(t)
		s := newHostile(t, mode, scripts)
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				client := s.Dial()
				client.Sendf("%s /behind-%d HTTP/1.1\r\nHost: x\r\n\r\n", c.method, i)
				_, body := client.Response(c.method)
				require.Equal(t, c.body, body)
				told(t, ended)
				client.Send("GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				_, body = client.Response("GET")
				require.Equal(t, "/next", body)
				rest, err := client.Rest()
				requireEnded(t, err)
				require.Empty(t, rest)
				requireWell(t, s)
			})
		}
	})
}

// tell and told are for goroutines that must not wait for a test that has
// failed, nor a test for them.
func tell[T any](told chan<- T, news T) {
	select {
	case told <- news:
	case <-time.After(testkit.Patience):
	}
}

func told[T any](t testing.TB, news <-chan T) (n T) {
	t.Helper()
	select {
	case n = <-news:
	case <-time.After(stack.Patience):
		require.FailNow(t, "nothing came")
	}
	return n
}

func waitFor(news <-chan bool) {
	select {
	case <-news:
	case <-time.After(testkit.Patience):
	}
}

// silenceTransport keeps http.Transport of this process from telling of bytes
// that it found on idle connections.
func silenceTransport(t *testing.T) {
	before := log.Writer()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(before) })
}

// The same under load, where connections are used again as soon as they can
// be: not one of many clients gets what a backend sent without being asked.
func TestAnswersMeantForOthersNeverArrive(t *testing.T) {
	const clients, each = 128, 50
	// Two threads: a race between goroutines shows on one core, too.
	before := runtime.GOMAXPROCS(max(2, runtime.NumCPU()))
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		silenceTransport(t)
		addr := testkit.Script(t, func(p *testkit.Peer) {
			for {
				head := p.Head()
				switch {
				case head == "":
					return
				case strings.HasPrefix(head, "GET /health "):
					p.Send(wellAnswered("/health"))
				default:
					p.Send(ok + "Content-Length: 0\r\n\r\n" + poison)
				}
			}
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr),
			stack.With("GOMAXPROCS", "2"),
			stack.With("HEALTH_PASSIVE_FALL", "1000"), stack.With("HEALTH_CHECK_INTERVAL", never))
		promise(t, func(t testing.TB) {
			var poisoned atomic.Int64
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for range each {
						if answer, err := s.Try("GET", "/", nil); err == nil && answer.Text == "poison" {
							poisoned.Add(1)
						}
						if poisoned.Load() > 0 {
							return
						}
					}
				})
			}
			all.Wait()
			require.Zero(t, poisoned.Load())
		})
	})
}

// A connection that says something while nobody asks is not used again.
func TestBytesOnAnIdleConnectionEndIt(t *testing.T) {
	late := map[string]string{"an answer": poison, "no HTTP": "poison", "a 408": "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		silenceTransport(t)
		for name, text := range late {
			t.Run(name, func(t *testing.T) {
				answered, ended := make(chan bool), make(chan bool, 1)
				s := newHostile(t, mode, map[string]func(*testkit.Peer){"/own": func(p *testkit.Peer) {
					p.Send(wellAnswered("/own"))
					waitFor(answered)
					closing(ended, text)(p)
				}})
				require.Equal(t, "/own", s.Get("/own").Text)
				tell(answered, true)
				told(t, ended)
				requireWell(t, s)
			})
		}
	})
}

// An answer may come while the client is still sending: it is delivered, the
// upload ends, and what comes late of it is nobody's request.
func TestEarlyAnswerEndsTheUpload(t *testing.T) {
	const early = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly"
	requests := map[string]string{
		"with a length":         post(length(100000), "start"),
		"in chunks":             post(chunked, "5\r\nstart\r\n"),
		"that waits to be sent": post("Expect: 100-continue\r\n"+length(100000), ""),
	}
	ended := make(chan bool, 1)
	var asked atomic.Int64
	scripts := map[string]func(*testkit.Peer){
		"/own":      closing(ended, early),
		"/smuggled": func(*testkit.Peer) { asked.Add(1) },
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts)
		for name, request := range requests {
			t.Run(name, func(t *testing.T) {
				client := s.Dial()
				client.Send(request)
				response, body := client.Response("POST")
				require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
				require.Equal(t, "early", body)
				require.True(t, response.Close, "the client must know that it need not go on")
				told(t, ended)
				client.Send(strings.Repeat(smuggled, 10))
				rest, err := client.Rest()
				require.NoError(t, err, "a reset could destroy the answer")
				require.Empty(t, rest)
				requireWell(t, s)
				require.Zero(t, asked.Load())
			})
		}
		require.Equal(t, "-", s.Proxy.AwaitRecord("/own")["cause"])
	})
}

// 1xx responses are passed on, up to a number of them, to those who know them.
func TestStormsOfInformationalResponsesAreBounded(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	scripts := map[string]func(*testkit.Peer){
		"/most":    says(strings.Repeat(hints, 16) + wellAnswered("/most")),
		"/toomany": says(strings.Repeat(hints, 17) + wellAnswered("/toomany")),
		"/unasked": says("HTTP/1.1 100 Continue\r\n\r\n" + wellAnswered("/unasked")),
		"/only":    func(p *testkit.Peer) { p.Send(hints); p.AwaitEnd() },
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts, stack.With("RESPONSE_HEAD_TIMEOUT", "500ms"))
		raw := func(path string) string {
			return s.Raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		}
		got := raw("/most")
		require.Equal(t, 16, strings.Count(got, " 103 Early Hints\r\n"), got)
		require.True(t, strings.HasSuffix(got, "\r\n\r\n/most"), got)

		got = raw("/toomany")
		require.LessOrEqual(t, strings.Count(got, " 103 Early Hints\r\n"), 16)
		require.True(t, strings.HasSuffix(got, "502 Bad Gateway: bad_response\n"), got)

		require.NotContains(t, raw("/unasked"), "100 Continue")
		require.True(t, strings.HasSuffix(raw("/only"), "504 Gateway Timeout: response_timeout\n"))

		got = s.Raw("GET /most HTTP/1.0\r\n\r\n")
		require.NotContains(t, got, "103 Early Hints", "HTTP/1.0 knows no 1xx")
		require.True(t, strings.HasSuffix(got, "\r\n\r\n/most"), got)
		requireWell(t, s)
	})
}

// What a backend nominates in Connection is for the proxy alone; also when the
// field says close, too.
func TestFieldsNominatedWithCloseEndAtTheProxy(t *testing.T) {
	scripts := map[string]func(*testkit.Peer){
		"/own": says(ok + "Connection: close, X-Nominated\r\nX-Nominated: 1\r\nX-Other: 2\r\nContent-Length: 0\r\n\r\n"),
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := newHostile(t, mode, scripts)
		answer := s.Get("/own")
		require.Equal(t, "2", answer.Header.Get("X-Other"))
		promise(t, func(t testing.TB) { require.NotContains(t, answer.Header, "X-Nominated") })
	})
}

// A login that a backend binds to a connection (NTLM) must not serve another
// client.
func TestConnectionWithALoginOnItIsPrivate(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		var connections atomic.Int64
		addr := testkit.Script(t, func(p *testkit.Peer) {
			n := connections.Add(1)
			for head := p.Head(); head != ""; head = p.Head() {
				text := fmt.Sprint(n)
				status := "200 OK\r\n"
				if strings.HasPrefix(head, "GET /login ") {
					status = "401 Unauthorized\r\nWWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n"
				}
				p.Sendf("HTTP/1.1 %sContent-Length: %d\r\n\r\n%s", status, len(text), text)
			}
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("HEALTH_CHECK_INTERVAL", never))
		user := s.Dial()
		ask := func(client *testkit.Peer, path string) string {
			client.Sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			_, connection := client.Response("GET")
			return connection
		}
		login := ask(user, "/login")
		promise(t, func(t testing.TB) {
			require.NotEqual(t, login, ask(s.Dial(), "/stranger"))
			require.Equal(t, login, ask(user, "/logged-in"))
		})
	})
}
