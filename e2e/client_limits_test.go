package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// requireRefused requires an answer of the proxy itself, at the end of the
// connection, and a record of it that names no backend.
func requireRefused(t testing.TB, s *stack.Stack, path, got string, status int, cause string) {
	t.Helper()
	require.True(t, strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", status)), "%.200q", got)
	require.True(t, strings.HasSuffix(got, ": "+cause+"\n"), "%.200q", got)
	require.Equal(t, 1, strings.Count(got, "HTTP/1.1 "), got)
	require.Contains(t, got, "\r\nConnection: close\r\n")
	record := awaitRecord(t, s, path)
	require.Equal(t, fmt.Sprint(status), record["status"])
	require.Equal(t, cause, record["cause"])
}

// requireEnded requires a connection to have ended, be it by a reset: that is
// what a byte meets that was under way.
func requireEnded(t testing.TB, err error) {
	t.Helper()
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the proxy keeps the connection")
}

// awaitRecord is Proxy.AwaitRecord for what may never come: t may be a trial.
func awaitRecord(t testing.TB, s *stack.Stack, path string) stack.Record {
	t.Helper()
	var found stack.Record
	require.Eventually(t, func() bool {
		for _, r := range s.Proxy.Records() {
			if r["path"] == path {
				found = r
			}
		}
		return found != nil
	}, 2*time.Second, 5*time.Millisecond, "no access line for %s", path)
	return found
}

// head is a request head of exactly n bytes.
func head(path string, n int) string {
	text := "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: "
	return text + strings.Repeat("x", n-len(text)-len("\r\n\r\n")) + "\r\n\r\n"
}

func target(path string, n int) string { return path + strings.Repeat("x", n-len(path)) }

func line(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n" }

func TestRequestsAboveALimitAreRefused(t *testing.T) {
	long := target("/target-", 8<<10+1)
	many := "GET /lines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Repeat("A: b\r\n", 127) + "\r\n"
	cases := []struct {
		name, path, request string
		status              int
		cause               string
	}{
		{"head", "/head", head("/head", 32<<10+1), 431, "header_too_large"},
		{"lines", "/lines", many, 431, "header_too_large"},
		{"target", long, line(long), 414, "target_too_long"},
		{"body", "/length", "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001), 413, "body_too_large"},
	}
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("MAX_BODY_BYTES", "1000"), stack.With("HEALTH_CHECK_INTERVAL", never))
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				got := s.Raw(c.request + smuggled)
				requireRefused(t, s, c.path, got, c.status, c.cause)
				require.Equal(t, "-", awaitRecord(t, s, c.path)["attempts"], "no backend hears of it")
			})
		}
		// A body that does not tell its length is known to be too large when it is.
		chunks := strings.Repeat("64\r\n"+strings.Repeat("x", 100)+"\r\n", 11)
		got := s.Raw("POST /chunks HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n" + chunks + lastChunk + smuggled)
		requireRefused(t, s, "/chunks", got, 413, "body_too_large")
		require.Equal(t, 200, s.Get("/after").StatusCode)
		require.Zero(t, s.Changes(s.Backend(1), "down"))
	})
}

// Nor does the backend ever see the end of such a body.
func TestBodyAboveTheLimitIsNeverWhole(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		b := newStrictBackend(t)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("MAX_BODY_BYTES", "10"), stack.With("HEALTH_CHECK_INTERVAL", never))
		got := s.Raw("POST /large HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n6\r\nabcdef\r\n6\r\nghijkl\r\n" + lastChunk)
		requireRefused(t, s, "/large", got, 413, "body_too_large")
		require.Equal(t, 200, s.Get("/after").StatusCode)
		requests, violations := b.take(t)
		require.Empty(t, violations)
		requests = whole(requests)
		require.Len(t, requests, 1)
		require.Equal(t, "/after", requests[0].target)
	})
}

func TestRequestsAtALimitPass(t *testing.T) {
	const body = "0123456789"
	cases := map[string]string{
		"head":   head("/head", 32<<10),
		"lines":  "GET /lines HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 127) + "\r\n",
		"target": line(target("/target-", 8<<10)),
		"body":   "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" + body,
		"chunks": "POST /chunks HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n5\r\n01234\r\n5\r\n56789\r\n" + lastChunk,
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("MAX_BODY_BYTES", fmt.Sprint(len(body))), stack.With("HEALTH_CHECK_INTERVAL", never))
		for name, request := range cases {
			client := s.Dial()
			client.Send(request)
			response, _ := client.Response("GET")
			require.Equal(t, 200, response.StatusCode, name)
		}
	})
}

// Blanks around a value are bytes of the head, too.
func TestHeadLimitCountsEveryByte(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", never))
		got := s.Raw("GET /blanks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: " + strings.Repeat(" ", 32<<10) + "b\r\n\r\n")
		promise(t, func(t testing.TB) { requireRefused(t, s, "/blanks", got, 431, "header_too_large") })
	})
}

func TestTargetAboveTheLimitOfAHeadIsStillA414(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", never))
		long := target("/target-", 64<<10)
		got := s.Raw(line(long))
		promise(t, func(t testing.TB) {
			require.True(t, strings.HasPrefix(got, "HTTP/1.1 414 "), "%.200q", got)
			require.True(t, strings.HasSuffix(got, ": target_too_long\n"), "%.200q", got)
		})
	})
}

// A head of which nothing is kept but that it was too large, and an answer:
// what a proxy may hold of it is bounded.
func TestEndlessHeadIsRefused(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", never))
		client := s.Dial()
		client.Send("GET /endless HTTP/1.1\r\nHost: x\r\n")
		sent := make(chan int, 1)
		go func() {
			n := 0
			for block := strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 64); n < 64<<20; n += len(block) {
				if _, err := client.Write([]byte(block)); err != nil {
					break
				}
			}
			sent <- n
		}()
		require.Contains(t, client.Head(), " 431 ")
		_, err := client.Rest()
		requireEnded(t, err)
		require.Less(t, told(t, sent), 64<<20, "the proxy does not read for ever")
		require.Equal(t, 200, s.Get("/after").StatusCode)
	})
}

// Every request ends in one record, and so does what is none.
func TestEveryRefusedHeadLeavesARecord(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", never))
		got := s.Raw("GET /malformed HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n")
		require.True(t, strings.HasPrefix(got, "HTTP/1.1 400 "), got)
		promise(t, func(t testing.TB) { requireRefused(t, s, "/malformed", got, 400, "bad_request") })
	})
}

func TestSlowHeadIsA408(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("CLIENT_HEAD_TIMEOUT", "200ms"), stack.With("HEALTH_CHECK_INTERVAL", never))
		got := s.Raw("GET /slow HTTP/1.1\r\nHost: x\r\nA: ")
		promise(t, func(t testing.TB) {
			require.True(t, strings.HasPrefix(got, "HTTP/1.1 408 "), "%.200q", got)
			require.True(t, strings.HasSuffix(got, ": client_timeout\n"), "%.200q", got)
		})
	})
}

// Hundreds of clients that never finish a head: honest ones are served all the
// while, and the others are ended in time however they trickle.
func TestSlowlorisIsEndedAndDisturbsNobody(t *testing.T) {
	const clients = 500
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("CLIENT_HEAD_TIMEOUT", "1s"), stack.With("HEALTH_CHECK_INTERVAL", never))
		slow := make([]*testkit.Peer, clients)
		for i := range slow {
			slow[i] = s.Dial()
			slow[i].Sendf("GET /slow-%d HTTP/1.1\r\nHost: x\r\nA: ", i)
		}
		trickle := make(chan bool)
		go func() {
			defer close(trickle)
			for range 15 {
				time.Sleep(100 * time.Millisecond) // the slowness is the subject
				for _, client := range slow {
					client.Send("x")
				}
			}
		}()
		require.Equal(t, stack.Shares(100, s.Backends...), s.Spread(300))
		for _, client := range slow {
			rest, err := client.Rest()
			requireEnded(t, err)
			require.NotContains(t, rest, " 200 ")
		}
		<-trickle
		require.NotContains(t, s.Proxy.AccessLog(), "/slow-", "none became a request")
		require.Equal(t, stack.Shares(1, s.Backends...), s.Spread(3))
	})
}

// A body that stops is a 408, and one that goes on slowly is served.
func TestSlowBodyIsA408UnlessItMoves(t *testing.T) {
	const timeout, pieces = time.Second, 8
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("CLIENT_BODY_TIMEOUT", timeout.String()), stack.With("HEALTH_CHECK_INTERVAL", never))
		got := s.Raw("POST /stops HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
		requireRefused(t, s, "/stops", got, 408, "client_timeout")

		client := s.Dial()
		client.Sendf("POST /moves HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", pieces)
		start := time.Now()
		for range pieces {
			time.Sleep(timeout / 6) // the slowness is the subject
			client.Send("x")
		}
		require.Greater(t, time.Since(start), timeout)
		response, _ := client.Response("POST")
		require.Equal(t, 200, response.StatusCode)
		for _, b := range s.Backends {
			require.Zero(t, s.Changes(b, "down"))
		}
	})
}

// A client that takes nothing of its answer is given up.
func TestClientThatTakesNothingIsGivenUp(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("WRITE_STALL_TIMEOUT", "500ms"), stack.With("HEALTH_CHECK_INTERVAL", never))
		client := s.Dial()
		client.Send("GET /taken?size=1GiB HTTP/1.1\r\nHost: x\r\n\r\n")
		record := s.Proxy.AwaitRecord("/taken")
		require.Equal(t, "client_write_timeout", record["cause"])
		require.Equal(t, stack.Shares(2, s.Backends...), s.Spread(6))
		for _, b := range s.Backends {
			require.Zero(t, s.Changes(b, "down"))
		}
	})
}
