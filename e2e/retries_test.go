package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// requireUnharmed requires all requests of a load to have been answered well, and
// some only by another backend than that which was asked first.
func requireUnharmed(t *testing.T, s *stack.Stack, shots []stack.Shot) {
	t.Helper()
	for _, shot := range shots {
		if !shot.Good() {
			require.FailNow(t, "a client saw an error", "%+v: %v", shot, s.Proxy.AwaitRecord(shot.Path))
		}
	}
	s.Proxy.AwaitLines(len(shots))
	again := 0
	for _, record := range s.Proxy.Records() {
		attempts := strings.Split(record["attempts"], ",")
		first, last := attempts[0], attempts[len(attempts)-1]
		if _, of, _ := strings.Cut(first, "@"); of != record["backend"] {
			again++
			require.Equal(t, "answered@"+record["backend"], last, "every attempt is on the record")
		}
	}
	require.Positive(t, again, "nothing was tried again")
	t.Logf("%d requests, %d of them tried again", len(shots), again)
}

func TestWithARetryAKilledBackendCostsNoGET(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("RETRIES", "1"), stack.With("HEALTH_CHECK_INTERVAL", never))
		load := s.Load(200, "delay=10ms")
		load.Await(50, time.Time{}, stack.Shot.Good)
		killed := time.Now()
		s.Backend(2).Kill()
		s.AwaitDown(s.Backend(2))
		load.Await(50, killed, stack.Shot.Good)
		requireUnharmed(t, s, load.Stop())
	})
}

// A retry goes on in its request's place: bounds and a queue take nothing from it.
func TestWithARetryAKilledBackendCostsNoGETUnderBounds(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("RETRIES", "1"), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("MAX_IN_FLIGHT", "2"), stack.With("QUEUE", "2000"), stack.With("QUEUE_TIMEOUT", stack.Patience.String()))
		load := s.Load(250, "delay=10ms") // more than two at a time can answer: some wait
		load.Await(50, time.Time{}, stack.Shot.Good)
		killed := time.Now()
		s.Backend(2).Kill()
		s.AwaitDown(s.Backend(2))
		load.Await(50, killed, stack.Shot.Good)
		requireUnharmed(t, s, load.Stop())
		require.Contains(t, s.Proxy.Log(), "msg=queued")
	})
}

func TestWithARetryRestartsInTurnCostNoGET(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("RETRIES", "1"), stack.WithQuickProbes())
		load := s.Load(200, "delay=10ms")
		load.Await(50, time.Time{}, stack.Shot.Good)
		for _, b := range s.Backends {
			b.Kill()
			s.AwaitDown(b)
			b.Start()
			s.AwaitUp(b)
			// A request that is still on its way from this one to the next would
			// meet two restarts, and has one retry.
			load.Settle(time.Now())
		}
		requireUnharmed(t, s, load.Stop())
	})
}

// What may have reached a backend is not sent to another, unless carrying it out
// twice is like once.
func TestOnlyWhatIsSafeIsTriedAgain(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s, all := newCountings(t, mode, 2, map[string]func(*testkit.Peer){"/reset": resets, "/close": closes},
			stack.With("RETRIES", "3"), stack.With("HEALTH_PASSIVE_ON", "none"))
		for _, path := range []string{"/reset", "/close"} {
			for method, attempts := range map[string]int{"GET": 2, "HEAD": 2, "PUT": 2, "DELETE": 2, "OPTIONS": 2, "POST": 1, "PATCH": 1} {
				s.CloseIdle() // so that each is the first of its connection
				answer := s.Do(method, path, strings.NewReader("body"))
				require.Equal(t, http.StatusBadGateway, answer.StatusCode, method)
				require.Equal(t, attempts, total(all, method+" "+path), "%s %s: each backend once at most", method, path)
			}
		}
	})
}

// The head is enough: whoever has it may have carried the request out.
func TestPOSTWhoseHeadMayHaveArrivedIsNeverSentAgain(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		var heads sync.Map // by request line
		script := func(p *testkit.Peer) {
			for {
				line, _, _ := strings.Cut(p.Head(), "\r\n")
				switch {
				case strings.HasPrefix(line, "GET /health "):
					p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					continue
				case line != "":
					n, _ := heads.LoadOrStore(line, new(atomic.Int64))
					n.(*atomic.Int64).Add(1)
				}
				p.Reset() // with the body on its way
				return
			}
		}
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(testkit.Script(t, script), testkit.Script(t, script), testkit.Script(t, script)),
			stack.With("RETRIES", "3"), stack.With("HEALTH_PASSIVE_ON", "none"), stack.With("HEALTH_CHECK_INTERVAL", never))
		for i := range 50 {
			path := fmt.Sprintf("/%d", i)
			s.CloseIdle() // a connection on which a body was not read to its end may be about to close
			answer := s.Do("POST", path, strings.NewReader(strings.Repeat("x", i*1000)))
			require.Equal(t, http.StatusBadGateway, answer.StatusCode)
			n, _ := heads.Load("POST " + path + " HTTP/1.1")
			require.EqualValues(t, 1, n.(*atomic.Int64).Load(), path)
		}
	})
}

// A backend that does not even take a connection has got nothing, so that any
// request may go on to another.
func TestNothingThatWasNotSentIsLost(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2), stack.With("RETRIES", "1"), stack.With("HEALTH_CHECK_INTERVAL", never))
		s.Backend(1).Kill()
		for i := range 2 {
			path := fmt.Sprintf("/post-%d", i)
			answer := s.Do("POST", path, strings.NewReader("body"))
			require.Equal(t, http.StatusOK, answer.StatusCode, answer.Text)
			require.Equal(t, s.Backend(2).ID(), answer.From())
		}
		s.AwaitDown(s.Backend(1))
		refused := 0
		for i := range 2 {
			if record := s.Proxy.AwaitRecord(fmt.Sprintf("/post-%d", i)); strings.Contains(record["attempts"], ",") {
				require.Equal(t, "dial_refused@"+s.Backend(1).URL()+",answered@"+s.Backend(2).URL(), record["attempts"])
				refused++
			}
		}
		require.Equal(t, 1, refused)
	})
}

// The body goes with the request as long as it was kept.
func TestBodyIsSentAgainAsItWas(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		// The first has another length of name and path than the second.
		first := newCounting(t, "first", map[string]func(*testkit.Peer){"/a/long/prefix/x": resets})
		second := newCounting(t, "second", nil)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers("http://"+first.addr+"/a/long/prefix", "http://"+second.addr),
			stack.With("RETRIES", "1"), stack.With("HEALTH_PASSIVE_ON", "none"), stack.With("HEALTH_CHECK_INTERVAL", never))
		const kept = 64 << 10
		for _, size := range []int{0, 1, 10_000, kept, kept + 1, 10 * kept} {
			for _, chunked := range []bool{false, true} {
				body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
				for again := false; !again; { // until it was the first backend's turn
					before := first.got("PUT /a/long/prefix/x")
					s.CloseIdle() // see above
					answer := s.Do("PUT", "/x", reader(body, chunked))
					if again = first.got("PUT /a/long/prefix/x") > before; !again {
						continue
					}
					if size > kept {
						require.Equal(t, http.StatusBadGateway, answer.StatusCode, "%d bytes are not kept", size)
						continue
					}
					require.Equal(t, http.StatusOK, answer.StatusCode, "%d bytes, chunked: %v", size, chunked)
					require.Equal(t, "second", answer.Header.Get("X-Backend"))
					require.Equal(t, body, answer.Text)
				}
			}
		}
	})
}

// reader is the body with its length, or without.
func reader(body string, chunked bool) interface {
	Read([]byte) (int, error)
} {
	if chunked {
		return struct{ *strings.Reader }{strings.NewReader(body)} // whose length http.NewRequest does not know
	}
	return strings.NewReader(body)
}

// A request that every backend fails is the request's doing.
func TestOnePoisonousRequestTakesOneBackendDownAtMost(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s, all := newCountings(t, mode, 3, map[string]func(*testkit.Peer){"/poison": closes}, stack.With("RETRIES", "5"))
		answer := s.Get("/poison")
		require.Equal(t, "502 Bad Gateway: reset_before_response\n", answer.Text)
		require.Equal(t, 3, total(all, "GET /poison"), "each backend once")
		require.Len(t, strings.Split(s.Proxy.AwaitRecord("/poison")["attempts"], ","), 3)
		s.Proxy.AwaitLog(`msg="backend is down"`)
		s.Spread(6)
		require.Equal(t, 1, strings.Count(s.Proxy.Log(), `msg="backend is down"`))
	})
}

func TestStatusesMayBeTriedOnAnotherBackend(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		busy := newCounting(t, "busy", map[string]func(*testkit.Peer){"/x": unavailable, "/all": unavailable})
		well := newCounting(t, "well", map[string]func(*testkit.Peer){"/all": unavailable})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(busy.addr, well.addr),
			stack.With("RETRIES", "2"), stack.With("RETRY_ON", "502,503"), stack.With("HEALTH_CHECK_INTERVAL", never))
		for _, method := range []string{"GET", "PUT"} {
			for range 2 {
				answer := s.Do(method, "/x", strings.NewReader("body"))
				require.Equal(t, http.StatusOK, answer.StatusCode)
				require.Equal(t, "body", answer.Text)
			}
			require.Equal(t, 1, busy.got(method+" /x"), "a retry is nobody's turn")
		}
		s.Proxy.AwaitAccess(" method=GET .* attempts=503@http://" + busy.addr + ",answered@http://" + well.addr + " ")

		statuses := []int{s.Do("POST", "/x", nil).StatusCode, s.Do("POST", "/x", nil).StatusCode}
		require.ElementsMatch(t, []int{200, 503}, statuses, "what may have been carried out is not tried again")
		last := s.Get("/all")
		require.Equal(t, http.StatusServiceUnavailable, last.StatusCode)
		require.Equal(t, "own", last.From(), "where nobody does better, the backend's own answer is passed on")
		require.NotContains(t, s.Proxy.Log(), "backend is down", "nobody is to blame")
	})
}

// Retries are bounded, so that an outage is not made worse by them.
func TestRetriesKeepToTheirBudget(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.InProcess}, func(t *testing.T, mode stack.Mode) {
		const burst, requests = 256, 800
		bad := newCounting(t, "bad", map[string]func(*testkit.Peer){"/x": closes})
		well := newCounting(t, "well", nil)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(bad.addr, well.addr), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("RETRIES", "1"), stack.With("RETRY_BUDGET", "0%"), stack.With("RETRY_RATE", "0"), stack.With("RETRY_BURST", fmt.Sprint(burst)),
			stack.With("HEALTH_PASSIVE_ON", "none"))
		failed := 0
		for range requests {
			if s.Get("/x").StatusCode != http.StatusOK {
				failed++
			}
		}
		require.Equal(t, requests/2, bad.got("GET /x"))
		require.Equal(t, requests/2-burst, failed)
	})
}
