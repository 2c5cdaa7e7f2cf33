package health_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/health"
	"go-proxy/internal/pool"
)

func TestTheExpectedStatusIsHealth(t *testing.T) {
	for _, c := range []struct {
		expect int
		answer string
		want   string
	}{
		{200, "200 OK", ""},
		{204, "204 No Content", ""},
		{503, "503 Service Unavailable", ""},
		{200, "201 Created", "probe: status 201, want 200"},
		{200, "204 No Content", "probe: status 204, want 200"},
		{204, "200 OK", "probe: status 200, want 204"},
		{200, "404 Not Found", "probe: status 404, want 200"},
		{200, "500 Internal Server Error", "probe: status 500, want 200"},
		{200, "503 Service Unavailable", "probe: status 503, want 200"},
		{200, "503", "probe: status 503, want 200"},
	} {
		t.Run(fmt.Sprintf("%d for %s", c.expect, c.answer), func(t *testing.T) {
			s := settings()
			s.ExpectStatus = c.expect
			raw := "HTTP/1.1 " + c.answer + "\r\nContent-Length: 0\r\n\r\n"
			meet(t, s, answers(raw), func(t *testing.T, p *prober) {
				if c.want == "" {
					require.NoError(t, p.probe())
				} else {
					require.EqualError(t, p.probe(), c.want)
				}
			})
		})
	}
}

func TestInterimAnswersAreNotTheAnswer(t *testing.T) {
	interim := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
	meet(t, settings(), answers(interim+ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		require.NoError(t, p.probe())
		require.Len(t, p.dials(), 1)
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, c := range []struct{ status, location string }{
		{"301 Moved Permanently", "/elsewhere"},
		{"302 Found", "http://elsewhere.test/"},
		{"303 See Other", "http://backend.test:8081/health"},
		{"307 Temporary Redirect", "//elsewhere.test/health"},
		{"308 Permanent Redirect", "https://backend.test:8081/health"},
	} {
		t.Run(c.status, func(t *testing.T) {
			raw := "HTTP/1.1 " + c.status + "\r\nLocation: " + c.location + "\r\nContent-Length: 0\r\n\r\n"
			meet(t, settings(), func(p *peer, conn net.Conn, _ int) {
				from := bufio.NewReader(conn)
				p.receive(from)
				io.WriteString(conn, raw)
				for p.receive(from) { // whoever follows finds all well
					io.WriteString(conn, ok)
				}
			}, func(t *testing.T, p *prober) {
				require.EqualError(t, p.probe(), "probe: status "+c.status[:3]+", want 200")
				require.Len(t, p.requests(), 1)
				require.Equal(t, []string{"backend.test:8081"}, p.dials())
			})
		})
	}
}

func TestTheConnectionIsKeptFromProbeToProbe(t *testing.T) {
	for name, raw := range map[string]string{
		"good":                ok,
		"bad":                 "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick",
		"redirect":            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 5\r\n\r\nthere",
		"body without length": chunked(60 << 10),
		"nothing in the body": "HTTP/1.1 204 No Content\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			meet(t, settings(), answers(raw), func(t *testing.T, p *prober) {
				for range 50 {
					p.probe()
					time.Sleep(interval)
				}
				require.Len(t, p.requests(), 50)
				require.Equal(t, []string{"backend.test:8081"}, p.dials())
			})
		})
	}
}

// Three intervals without a probe mean that the backend is gone from the
// configuration.
func TestAKeptConnectionIsClosedWhenNobodyProbesAnyMore(t *testing.T) {
	meet(t, settings(), answers(ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		time.Sleep(3*interval - 1)
		require.Empty(t, p.ends())
		time.Sleep(time.Nanosecond)
		require.Equal(t, []time.Duration{3 * interval}, p.ends())
	})
}

func TestAConnectionTheBackendClosedMeanwhileIsNoFailure(t *testing.T) {
	meet(t, settings(), once(ok), func(t *testing.T, p *prober) {
		for range 3 {
			require.NoError(t, p.probe())
			time.Sleep(interval)
		}
		require.Len(t, p.dials(), 3)
	})
}

// It may go at the very moment the next probe is sent on it.
func TestAConnectionTheBackendClosesInsteadOfAnsweringIsTriedAfresh(t *testing.T) {
	meet(t, settings(), func(p *peer, conn net.Conn, _ int) {
		from := bufio.NewReader(conn)
		p.receive(from)
		io.WriteString(conn, ok)
		p.receive(from)
	}, func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		time.Sleep(interval)
		require.NoError(t, p.probe())
		require.Len(t, p.dials(), 2)
	})
}

func TestCloseEndsKeptConnections(t *testing.T) {
	meet(t, settings(), answers(ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		time.Sleep(interval)
		require.Empty(t, p.ends())
		p.Close()
		require.Equal(t, []time.Duration{interval}, p.ends())
	})
}

// Also when they are addresses of one name, which net/http would take for one.
func TestEachBackendHasItsOwnKeptConnection(t *testing.T) {
	meetAt(t, "http://backend.test#192.0.2.1", settings(), answers(ok), func(t *testing.T, p *prober) {
		second := health.NewHTTP(backendOf(t, "http://backend.test#192.0.2.2"), settings(), p.dial)
		defer second.Close()
		other := prober{second, p.peer, p.timeout}
		for range 5 {
			require.NoError(t, p.probe())
			require.NoError(t, other.probe())
		}
		require.Len(t, p.dials(), 2)
		for _, r := range p.requests() {
			require.Equal(t, "backend.test /health", r.Host+" "+r.RequestURI)
		}
	})
}

// TestMain has set them all.
func TestOutboundProxyVariablesMeanNothing(t *testing.T) {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: backendOf(t, "http://backend.test:8081").URL})
	require.NoError(t, err)
	require.Equal(t, "outbound-proxy.test:3128", proxy.Host, "or else this tests nothing")
	meet(t, settings(), answers(ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		require.Equal(t, []string{"backend.test:8081"}, p.dials())
		require.Equal(t, "/health", p.requests()[0].RequestURI)
	})
}

func TestTheRequestOfAProbe(t *testing.T) {
	meet(t, settings(), answers(ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		request := p.requests()[0]
		require.Equal(t, "GET", request.Method)
		require.Equal(t, "HTTP/1.1", request.Proto)
		require.Equal(t, "backend.test:8081", request.Host)
		require.Equal(t, http.Header{"User-Agent": {"go-proxy-health-check"}}, request.Header)
		require.Zero(t, request.ContentLength)
	})
}

func TestThePathCountsFromTheRootOfTheBackend(t *testing.T) {
	for _, c := range []struct{ backend, path, want string }{
		{"http://backend.test", "/health", "/health"},
		{"http://backend.test/", "/health", "/health"},
		{"http://backend.test/prefix", "/health", "/health"},
		{"http://backend.test/prefix/", "/health", "/health"},
		{"http://backend.test/a/b?of=backend", "/health", "/health"},
		{"http://backend.test", "/", "/"},
		{"http://backend.test/prefix", "/ready?full=1&x=%2F", "/ready?full=1&x=%2F"},
		{"http://backend.test", "/ready?", "/ready?"},
		{"http://backend.test", "/a%2Fb/c", "/a%2Fb/c"},
		{"http://backend.test", "/deep/er/", "/deep/er/"},
	} {
		t.Run(c.backend+" "+c.path, func(t *testing.T) {
			s := settings()
			s.Path = c.path
			meetAt(t, c.backend, s, answers(ok), func(t *testing.T, p *prober) {
				require.NoError(t, p.probe())
				require.Equal(t, c.want, p.requests()[0].RequestURI)
				require.Equal(t, "backend.test", p.requests()[0].Host)
				require.Equal(t, []string{"backend.test"}, p.dials())
			})
		})
	}
}

// What looks like a host to a browser is a path to HTTP.
func TestAPathNeverLeadsToAnotherHost(t *testing.T) {
	s := settings()
	s.Path = "//elsewhere.test/health"
	meet(t, s, answers(ok), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
		require.Equal(t, []string{"backend.test:8081"}, p.dials())
		require.Equal(t, "backend.test:8081", p.requests()[0].Host)
	})
}

func TestAPathThatIsNoneIsAnError(t *testing.T) {
	s := settings()
	s.Path = "/%zz"
	err := health.NewHTTP(backendOf(t, "http://backend.test"), s, nil).Probe(t.Context())
	require.EqualError(t, err, `probe: parse "/%zz": invalid URL escape "%zz"`)
}

const tooLong = "probe: body of 65536 bytes or more"

func TestABodyIsReadToItsBoundAndNoFurther(t *testing.T) {
	counted := func(n int) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
	}
	unframed := func(n int) string { return "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", n) }
	for name, frame := range map[string]func(int) string{"counted": counted, "chunked": chunked, "until close": unframed} {
		script := answers
		if name == "until close" {
			script = once
		}
		for n, want := range map[int]string{
			0: "", 1: "", 64<<10 - 1: "", 64 << 10: tooLong, 64<<10 + 1: tooLong, 1 << 20: tooLong,
		} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				meet(t, settings(), script(frame(n)), func(t *testing.T, p *prober) {
					if want == "" {
						require.NoError(t, p.probe())
					} else {
						require.EqualError(t, p.probe(), want)
					}
				})
			})
		}
	}
}

func TestWhatABackendCanDoWrong(t *testing.T) {
	const lines = "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
	now, never := time.Duration(0), timeout // when the probe ends
	for _, c := range []struct {
		name   string
		script func(*peer, net.Conn, int)
		want   string
		after  time.Duration
	}{
		{"an endless body", then("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1<<10), 0), tooLong, now},
		{"an endless body that drips", then("HTTP/1.1 200 OK\r\n\r\n", "x", 100*time.Millisecond),
			"probe: body: context deadline exceeded", never},
		{"an endless body to a bad status", then("HTTP/1.1 500 Oops\r\n\r\n", strings.Repeat("x", 1<<10), 0),
			"probe: status 500, want 200", now},
		{"a body that never comes", stuck("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"),
			"probe: body: context deadline exceeded", never},
		{"a body cut short", once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), "probe: body: unexpected EOF", now},
		{"a chunk cut short", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok"), "probe: body: unexpected EOF", now},
		{"a head that never comes", stuck(""), "probe: context deadline exceeded", never},
		{"half a head", stuck("HTTP/1.1 200 OK\r\nX-A: "), "probe: context deadline exceeded", never},
		{"an endless head", then("HTTP/1.1 200 OK\r\n", lines, 0),
			"probe: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted", now},
		{"an endless head that drips", then("HTTP/1.1 200 OK\r\n", lines, 100*time.Millisecond), "probe: context deadline exceeded", never},
		{"an endless line", then("HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("x", 1<<10), 0),
			"probe: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted", now},
		{"endless interim answers", then("", "HTTP/1.1 102 Processing\r\n\r\n", 0),
			"probe: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted", now},
		{"a protocol nobody asked for", stuck("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
			"probe: status 101, want 200", now},
		{"a connection closed before the answer", once(""), "probe: EOF", now},
		{"a head cut short", once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), "probe: net/http: HTTP/1.x transport connection broken: unexpected EOF", now},
		{"garbage", once("garbage\r\n\r\n"), `probe: net/http: HTTP/1.x transport connection broken: malformed HTTP response "garbage"`, now},
		{"another protocol", once("SSH-2.0-OpenSSH_9.6\r\n"),
			`probe: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.6"`, now},
	} {
		t.Run(c.name, func(t *testing.T) {
			meet(t, settings(), c.script, func(t *testing.T, p *prober) {
				start := time.Now()
				require.EqualError(t, p.probe(), c.want)
				require.Equal(t, c.after, time.Since(start))
			})
		})
	}
}

// Which of two goroutines of http.Transport sees it first decides the words.
func TestAConnectionClosedBeforeTheRequestIsAFailure(t *testing.T) {
	meet(t, settings(), func(*peer, net.Conn, int) {}, func(t *testing.T, p *prober) {
		require.ErrorContains(t, p.probe(), "probe: ")
	})
}

func TestEndlessInputIsBounded(t *testing.T) {
	for name, parts := range map[string][2]string{
		"head": {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("x", 1019) + "\r\n"},
		"body": {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			meet(t, settings(), func(p *peer, conn net.Conn, _ int) {
				p.receive(bufio.NewReader(conn))
				for next := parts[0]; ; next = parts[1] {
					n, err := conn.Write([]byte(next))
					taken += n
					if err != nil {
						return
					}
				}
			}, func(t *testing.T, p *prober) {
				require.Error(t, p.probe())
				synctest.Wait()
				require.LessOrEqual(t, taken, 64<<10+2*4096, "the bound, and what a buffer reads ahead")
			})
		})
	}
}

func TestAHeadWithinTheBoundIsFine(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: " + strings.Repeat("a", 60<<10) + "\r\n\r\n"
	meet(t, settings(), answers(head), func(t *testing.T, p *prober) {
		require.NoError(t, p.probe())
	})
}

// dialing probes with a dial of one's own.
func dialing(t *testing.T, backend string, dial health.Dial) error {
	t.Helper()
	h := health.NewHTTP(backendOf(t, backend), settings(), dial)
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return h.Probe(ctx)
}

func TestAFailedDialIsTheReason(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	err := dialing(t, "http://backend.test", func(context.Context, *pool.Backend) (net.Conn, error) { return nil, refused })
	require.EqualError(t, err, "probe: dial tcp: connection refused")
	require.ErrorIs(t, err, refused)
}

// http.Transport lets a dial outlive the request it was for. A backend behind
// a firewall that drops would collect one more with each probe.
func TestADialEndsWithItsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, ended := time.Now(), time.Duration(-1)
		h := health.NewHTTP(backendOf(t, "http://backend.test"), settings(), func(ctx context.Context, _ *pool.Backend) (net.Conn, error) {
			<-ctx.Done()
			ended = time.Since(start)
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		err := h.Probe(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, timeout, time.Since(start))
		synctest.Wait()
		require.Equal(t, timeout, ended)
	})
}

func TestATLSHandshakeEndsWithItsProbe(t *testing.T) {
	meetAt(t, "https://backend.test", settings(), func(_ *peer, conn net.Conn, _ int) {
		io.Copy(io.Discard, conn)
	}, func(t *testing.T, p *prober) {
		require.Error(t, p.probe())
		require.Equal(t, []time.Duration{timeout}, p.ends())
	})
}

func TestProbesEndWithTheirContext(t *testing.T) {
	meet(t, settings(), stuck(""), func(t *testing.T, p *prober) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		start := time.Now()
		require.ErrorIs(t, p.Probe(ctx), context.Canceled)
		require.Equal(t, 300*time.Millisecond, time.Since(start))
	})
}

func network(ctx context.Context, b *pool.Backend) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", b.Address())
}

func TestAProbeOverTheNetwork(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	require.NoError(t, dialing(t, server.URL+"/prefix", network))
}

func TestABackendThatIsNotThereIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.EqualError(t, dialing(t, "http://"+l.Addr().String(), network),
		"probe: dial tcp "+l.Addr().String()+": connect: connection refused")
}

// Checker and HTTP together, over a backend that hangs now and then.
func TestACheckerOverHTTP(t *testing.T) {
	hang := func(n int) bool { return n == 2 || n == 5 }
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		peer := newPeer(func(p *peer, conn net.Conn, _ int) {
			for from := bufio.NewReader(conn); p.receive(from); {
				requests++
				if hang(requests - 1) {
					io.Copy(io.Discard, conn)
					return
				}
				io.WriteString(conn, ok)
			}
		})
		h := health.NewHTTP(backendOf(t, "http://a"), settings(), peer.dial)
		defer h.Close()
		s := set(t, settings(), nil, func(ctx context.Context, _ int) error { return h.Probe(ctx) })
		s.run()
		s.until(8 * interval)
		s.stop()
		<-s.ended
		require.Equal(t, []string{
			"0s http://a: unknown -> up: probe succeeded",
			"22s http://a: up -> down: no answer to the probe within 2s",
			"30s http://a: down -> up: probe succeeded",
			"52s http://a: up -> down: no answer to the probe within 2s",
			"1m0s http://a: down -> up: probe succeeded",
		}, s.changed())
		require.Equal(t, slices.Repeat([]string{"a"}, 3), peer.dials(), "a fresh connection only after a timeout")
	})
}
