package e2e

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// Settings that no other behaviour needs: each does what its row says.

// answering is the address of a backend that answers everything with the status.
func answering(t *testing.T, status string) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		for p.Head() != "" {
			p.Sendf("HTTP/1.1 %s\r\n\r\n", status)
		}
	})
}

func TestExpectedStatusOfAHealthCheckIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		good, bad := answering(t, "204 No Content"), answering(t, "200 OK\r\nContent-Length: 0")
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(good, bad), stack.With("HEALTH_CHECK_EXPECT_STATUS", "204"))
		require.Contains(t, s.Proxy.Log(), `backend=http://`+good+` from=unknown to=up`)
		require.Contains(t, s.Proxy.Log(), `backend=http://`+bad+` from=unknown to=down reason="probe: status 200, want 204"`)
	})
}

func TestFailedRequestsThatTakeABackendOutAreASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2), stack.With("HEALTH_PASSIVE_FALL", "3"), stack.With("HEALTH_CHECK_INTERVAL", "1h"))
		each := func(query string, status int) { // of the two, in turn
			for range 2 {
				require.Equal(t, status, s.Get("/"+query).StatusCode)
			}
		}
		for _, b := range s.Backends {
			b.Health("down") // so that it stays out
		}
		for range 2 {
			each("?fault=close", 502)
			each("?fault=close", 502)
			each("", 200)
		}
		require.NotContains(t, s.Proxy.Log(), "backend is down", "never three in a row")
		for range 3 {
			each("?fault=close", 502)
		}
		s.Proxy.AwaitLog("backend is down")
		each("", 200)
		require.Equal(t, 1, strings.Count(s.Proxy.Log(), "backend is down"), "the last one stays")
	})
}

// authority makes a backend's certificate one that the proxy's process knows:
// it finds the path in its environment, as every Go program does.
func authority(t *testing.T, server *httptest.Server) stack.Option {
	path := filepath.Join(t.TempDir(), "authority.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(path, certificate, 0o600))
	return stack.With("SSL_CERT_FILE", path)
}

// patientProbe is for the first probe of a TLS backend: the race detector and
// a busy machine make a handshake take more than a second.
var patientProbe = stack.With("HEALTH_CHECK_TIMEOUT", stack.Patience.String())

func TestBackendsMayBeHTTPS(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.TLS.ServerName, " ", r.Header.Get("X-Forwarded-Proto"))
		}))
		t.Cleanup(server.Close)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(server.URL), authority(t, server),
			stack.With("HEALTH_CHECK_INTERVAL", never), patientProbe)
		answer := s.Get("/")
		require.Equal(t, 200, answer.StatusCode)
		require.Equal(t, " http", answer.Text, "the client's connection is plain, and an address is no server name (RFC 6066, 3)")
	})
}

func TestTimeForATLSHandshakeIsASetting(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		silent := &silentAfterFirst{Listener: server.Listener, done: make(chan struct{})}
		server.Listener = silent
		server.StartTLS()
		t.Cleanup(server.Close)
		t.Cleanup(func() { close(silent.done) })
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(server.URL), authority(t, server),
			stack.With("TLS_HANDSHAKE_TIMEOUT", "50ms"), stack.With("HEALTH_CHECK_INTERVAL", never), patientProbe)
		answer := s.Get("/slow")
		require.Equal(t, 502, answer.StatusCode)
		require.Equal(t, "tls_failed", s.Proxy.AwaitRecord("/slow")["cause"])
	})
}

// silentAfterFirst gives only its first connection, that of the first probe,
// to the server. The others get no answer.
type silentAfterFirst struct {
	net.Listener
	accepted atomic.Int64
	done     chan struct{}
}

func (l *silentAfterFirst) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.accepted.Add(1) == 1 {
			return conn, err
		}
		go func() {
			<-l.done
			conn.Close()
		}()
	}
}

// Slowness is the subject of the next three: what is silent is ended.

func TestIdleConnectionOfAClientEnds(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("CLIENT_IDLE_TIMEOUT", "50ms"))
		p := s.Dial()
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		p.Response("GET")
		rest, err := p.Rest()
		require.NoError(t, err)
		require.Empty(t, rest)
	})
}

func TestIdleConnectionToABackendEnds(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		ended := make(chan string, 1)
		s := acted(t, mode, func(p *testkit.Peer, _ string) {
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			ended <- p.Head()
		}, stack.With("BACKEND_IDLE_TIMEOUT", "50ms"))
		require.Equal(t, 200, s.Get("/").StatusCode)
		require.Empty(t, <-ended)
	})
}

func TestSilentTunnelEnds(t *testing.T) {
	const limit = 400 * time.Millisecond
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := tunnelTo(t, mode, echoBytes, stack.With("TUNNEL_IDLE_TIMEOUT", limit.String()))
		p := s.Dial()
		p.Send(upgradeHead)
		p.Head()
		start := time.Now()
		for range 4 {
			time.Sleep(limit / 4) // each well within the limit, all of them not
			p.Send("x")
			require.Equal(t, "x", p.Take(1))
		}
		p.AwaitEnd()
		require.Greater(t, time.Since(start), limit+limit/2, "what moves is not silent")
		require.Equal(t, "tunnel_idle", s.Proxy.AwaitRecord("/tunnel")["cause"])
		require.NotContains(t, s.Proxy.Log(), "to=down")
	})
}

func TestSizeOfARequestHeadIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("MAX_HEADER_BYTES", "1KiB"), stack.With("MAX_HEADER_LINES", "10"))
		for fields, status := range map[string]int{
			"X: " + strings.Repeat("x", 900) + "\r\n":  200,
			"X: " + strings.Repeat("x", 1024) + "\r\n": 431,
			strings.Repeat("X: x\r\n", 8):              200,
			strings.Repeat("X: x\r\n", 10):             431,
		} {
			p := s.Dial()
			p.Send("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")
			response, _ := p.Response("GET")
			require.Equal(t, status, response.StatusCode, "%.20q", fields)
		}
	})
}

func TestSizeOfAResponseHeadIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		long := repeats("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<10) + "\r\nContent-Length: 0\r\n\r\n")
		for limit, status := range map[string]int{"": 200, "1KiB": 502} {
			require.Equal(t, status, acted(t, mode, long, stack.With("MAX_RESPONSE_HEADER_BYTES", limit)).Get("/").StatusCode)
		}
	})
}

// net/http cannot be taught to refuse what has two lengths.
func TestPlaneIsASetting(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		for plane, status := range map[string]string{"": " 400 ", "http1": " 400 ", "nethttp": " 200 "} {
			t.Run("set to "+plane, func(t *testing.T) {
				s := stack.New(t, mode, stack.WithBackends(1), stack.With("PROXY_PLANE", plane))
				got := s.Raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length(5) + chunked + "\r\n" + lastChunk)
				require.Equal(t, "HTTP/1.1"+status, got[:len("HTTP/1.1")+len(status)])
			})
		}
	})
}

func TestNumberOfInformationalResponsesIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		two := repeats(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 2) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		for limit, status := range map[string]int{"2": 200, "1": 502} {
			require.Equal(t, status, acted(t, mode, two, stack.With("MAX_INFORMATIONAL", limit)).Get("/").StatusCode)
		}
	})
}

// A request that met a connection at its end is sent again only if all of its
// body is still there.
func TestPartOfABodyKeptToBeSentAgainIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for size, status := range map[int]int{10: 200, 11: 502} {
			addr := testkit.Script(t, func(p *testkit.Peer) {
				for n := 0; ; n++ {
					request, _ := p.Request()
					if request == nil || request.Method == "PUT" && n > 0 {
						return // the end of a connection that was idle
					}
					p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("REPLAY_BODY_BYTES", "10B"))
			require.Equal(t, 200, s.Get("/").StatusCode) // leaves a connection idle
			require.Equal(t, status, s.Do("PUT", "/", strings.NewReader(strings.Repeat("x", size))).StatusCode)
			require.NotContains(t, s.Proxy.Log(), "to=down")
		}
	})
}

func TestUnusedConnectionsKeptToABackendAreASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for limit, want := range map[string]int64{"1": 3, "2": 2} {
			var connections atomic.Int64
			arrived, release := make(chan bool, 4), make(chan bool)
			defer close(release)
			addr := testkit.Script(t, func(p *testkit.Peer) {
				counted := false
				for head := p.Head(); head != ""; head = p.Head() {
					if !strings.HasPrefix(head, "GET /health ") {
						if !counted {
							connections.Add(1)
							counted = true
						}
						arrived <- true
						<-release
					}
					p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("BACKEND_IDLE_CONNS", limit))
			for round := range 2 {
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { _, _ = s.Try("GET", "/", nil) })
				}
				<-arrived
				<-arrived // both at a time, so each on a connection of its own
				release <- true
				release <- true
				both.Wait()
				s.Proxy.AwaitLines(2 * (round + 1)) // then the connections are given back
			}
			require.Equal(t, want, connections.Load(), limit)
		}
	})
}
