package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// never is an interval of health checks in which no test ends: what happens to
// a backend then is the work of traffic.
const never = "1h"

// asked sends requests to unique paths until one is not answered with 200, at
// most one to each backend, and returns that one's path and answer.
func asked(t testing.TB, s *stack.Stack, path string, n int) (string, stack.Answer) {
	t.Helper()
	for i := range n {
		own := fmt.Sprintf("/%s-%d", path, i)
		if answer := s.Get(own); answer.StatusCode != http.StatusOK {
			return own, answer
		}
	}
	require.FailNow(t, "every request was answered with 200")
	return "", stack.Answer{}
}

// requireBlamed requires the proxy to have answered for the backend, with the
// cause, in its answer and in its record.
func requireBlamed(t testing.TB, s *stack.Stack, b *stack.Backend, path string, answer stack.Answer, status int, cause string) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%d %s: %s\n", status, http.StatusText(status), cause), answer.Text)
	require.Equal(t, status, answer.StatusCode)
	require.Empty(t, answer.From())
	record := s.Proxy.AwaitRecord(path)
	require.Equal(t, fmt.Sprint(status), record["status"])
	require.Equal(t, cause, record["cause"])
	require.Equal(t, b.URL(), record["backend"])
	// Twice, if the first met a connection that had been used before.
	for attempt := range strings.SplitSeq(record["attempts"], ",") {
		require.Equal(t, cause+"@"+b.URL(), attempt, "no other backend: retries are off")
	}
}

// One backend after the other fails one request, and is out before the next.
func TestBackendThatFailsARequestIsA502AndTheNextGoElsewhere(t *testing.T) {
	type fault struct {
		cause string
		begin func(b *stack.Backend)
	}
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		faults := []fault{
			{"reset_before_response", func(b *stack.Backend) { b.Fault("fault=reset") }},
			{"reset_before_response", func(b *stack.Backend) { b.Fault("fault=close") }},
			{"bad_response", func(b *stack.Backend) { b.Fault("fault=garbage") }},
		}
		if mode != stack.Containers { // a container that is killed takes its address with it
			faults = append(faults, fault{"dial_refused", func(b *stack.Backend) { b.Kill() }})
		}
		s := stack.New(t, mode, stack.WithBackends(len(faults)+1), stack.With("HEALTH_CHECK_INTERVAL", never))
		left := s.Backends
		for i, fault := range faults {
			b := left[0]
			b.Health("down") // else a probe brings it back at once
			fault.begin(b)
			path, answer := asked(t, s, fmt.Sprintf("fault-%d", i), len(left))
			requireBlamed(t, s, b, path, answer, http.StatusBadGateway, fault.cause)
			s.AwaitDown(b)
			left = left[1:]
			require.Equal(t, stack.Shares(4, left...), s.Spread(4*len(left)))
			require.Equal(t, 1, s.Changes(b, "down"))
		}
	})
}

func TestBrokenBodyTakesTheBackendOut(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", never))
		for i, fault := range []string{"close-body", "reset-body"} {
			b, path := s.Backend(i+1), fmt.Sprintf("/broken-%d", i)
			b.Health("down")
			b.Fault("fault=" + fault + "&size=100000")
			broken := 0
			for j := range 3 {
				if answer, err := s.Try("GET", fmt.Sprintf("%s-%d", path, j), nil); err != nil {
					require.Equal(t, b.ID(), answer.From())
					require.Less(t, len(answer.Text), 100000)
					record := s.Proxy.AwaitRecord(fmt.Sprintf("%s-%d", path, j))
					require.Equal(t, "truncated_by_backend", record["cause"])
					require.Equal(t, "200", record["status"], "what the client was told")
					broken++
				}
			}
			require.Equal(t, 1, broken)
			s.AwaitDown(b)
		}
		require.Equal(t, stack.Shares(6, s.Backend(3)), s.Spread(6))
	})
}

// tlsThenPlain speaks TLS until it is told to speak plain HTTP. It returns its
// address, the switch, and a file with its certificate.
func tlsThenPlain(t testing.TB) (addr string, plain *atomic.Bool, certificate string) {
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate for 127.0.0.1
	t.Cleanup(lender.Close)
	certificate = filepath.Join(t.TempDir(), "certificate.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})
	require.NoError(t, os.WriteFile(certificate, block, 0o600))
	plain = new(atomic.Bool)
	addr = testkit.Script(t, func(p *testkit.Peer) {
		if plain.Load() {
			p.Take(1)
			p.Send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		conn := tls.Server(p.Conn, &tls.Config{Certificates: lender.TLS.Certificates})
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		}
	})
	return addr, plain, certificate
}

// Only a program of its own can be told whose certificates to believe.
func TestHTTPSToAPlainBackendIsA502(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		addr, plain, certificate := tlsThenPlain(t)
		s := stack.New(t, mode, stack.WithBackends(2), stack.WithPeers("https://"+addr),
			stack.With("SSL_CERT_FILE", certificate), stack.With("HEALTH_CHECK_INTERVAL", never), patientProbe)
		b := s.Peer("https://" + addr)
		s.AwaitUp(b)
		require.Equal(t, http.StatusOK, s.Get("/").StatusCode, "over TLS")
		plain.Store(true)
		path, answer := asked(t, s, "plain", 3)
		requireBlamed(t, s, b, path, answer, http.StatusBadGateway, "tls_failed")
		s.AwaitDown(b)
		require.Equal(t, stack.Shares(3, s.Backends...), s.Spread(6))
	})
}

// Where the first probe already shows it, no request finds out.
func TestHTTPSToAPlainBackendIsDownFromTheStart(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		plain := "https://" + testkit.Script(t, func(p *testkit.Peer) {
			p.Take(1)
			p.Send("HTTP/1.1 400 Bad Request\r\n\r\n")
		})
		s := stack.New(t, mode, stack.WithBackends(2), stack.WithPeers(plain))
		require.Regexp(t, `msg="backend is down" backend=`+plain+` from=unknown to=down reason="probe: .*HTTP`, s.Proxy.Log())
		require.Equal(t, stack.Shares(2, s.Backends...), s.Spread(4))
	})
}

// A backend that failed once and is well is asked at once, and not after a
// whole interval.
func TestHealthyBackendThatFailedOnceIsBackAtOnce(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", never))
		require.Equal(t, http.StatusBadGateway, s.Get("/?fault=reset").StatusCode)
		s.Proxy.AwaitLog(`msg="backend is down" .* from=up to=down reason="reset_before_response: `)
		s.Proxy.AwaitLog(`msg="backend is up" .* from=down to=up reason="probe succeeded"`)
		require.Equal(t, stack.Shares(4, s.Backends...), s.Spread(12))
	})
}

func TestBackendReturnsOnceItIsWell(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithQuickProbes())
		b := s.Backend(2)
		for range 2 {
			b.Health("down")
			b.Fault("fault=reset")
			s.AwaitDown(b)
			require.Equal(t, stack.Shares(3, s.Backend(1), s.Backend(3)), s.Spread(6))
			b.Fault("")
			b.Health("up")
			s.AwaitUp(b)
			require.Equal(t, stack.Shares(3, s.Backends...), s.Spread(9))
		}
	})
}

// What answers probes and fails requests comes back with a probe and goes with
// the next request: once per interval, however many requests there are.
func TestBackendThatOnlyFailsRequestsDoesNotFlap(t *testing.T) {
	const interval, measured = 200 * time.Millisecond, 2 * time.Second
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", interval.String()), stack.With("HEALTH_CHECK_JITTER", "0%"))
		b := s.Backend(1)
		b.Fault("fault=reset")
		bad, start := 0, time.Now()
		for time.Since(start) < measured { // the time is the subject
			switch answer := s.Get("/"); answer.StatusCode {
			case http.StatusBadGateway:
				require.Equal(t, "502 Bad Gateway: reset_before_response\n", answer.Text)
				bad++
			default:
				require.Equal(t, http.StatusOK, answer.StatusCode, answer.Text)
				require.NotEqual(t, b.ID(), answer.From())
			}
		}
		intervals := int(time.Since(start) / interval)
		// One more for the interval that had begun, one for the favour of being
		// asked at once when it went down for the first time.
		require.LessOrEqual(t, bad, intervals+2)
		require.GreaterOrEqual(t, bad, 2, "it comes back")
		b.Fault("") // now it can stay
		s.AwaitUp(b)
		require.GreaterOrEqual(t, s.Changes(b, "down"), bad, "each failure took it out")
		require.LessOrEqual(t, s.Changes(b, "down"), intervals+2)
		require.NotContains(t, s.Proxy.Log(), "level=ERROR")
	})
}
