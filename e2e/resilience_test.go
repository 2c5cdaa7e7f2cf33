package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

func TestWhenNoneIsAliveThoseThatAreDownMayBeTried(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2), stack.With("FAIL_OPEN", "on"))
		for _, b := range s.Backends {
			b.Health("down")
		}
		s.AwaitDown(s.Backends...)
		s.Proxy.AwaitLog(`level=WARN msg="no backend is alive; those that are down are tried anyway"\n`)
		require.Equal(t, stack.Shares(5, s.Backends...), s.Spread(10))
		require.Equal(t, stack.Shares(0, s.Backends...), map[string]int{s.Backend(1).ID(): s.Changes(s.Backend(1), "up") - 1, s.Backend(2).ID(): s.Changes(s.Backend(2), "up") - 1},
			"answers to requests bring nobody back")
		s.Backend(1).Health("up")
		s.AwaitUp(s.Backend(1))
		s.Proxy.AwaitLog(`level=INFO msg="backends that are down are not tried any more"\n`)
		require.Equal(t, stack.Shares(5, s.Backend(1)), s.Spread(5))
	})
}

// drained is the file for backends, of which some drain.
func drained(s *stack.Stack, drains ...int) string {
	var items []string
	for i, b := range s.Backends {
		items = append(items, fmt.Sprintf(`{"url": %q, "drain": %v}`, b.URL(), slices.Contains(drains, i+1)))
	}
	return `{"backends": [` + strings.Join(items, ", ") + `]}`
}

func TestDrainingBackendEndsWhatItHasAndGetsNothingNew(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1, 2, 3))
		a, b, c := s.Backend(1), s.Backend(2), s.Backend(3)
		var slow []*testkit.Peer
		for i := range 3 {
			slow = append(slow, inFlight(s, "GET", fmt.Sprintf("/slow-%d?delay=1s", i), "\r\n"))
		}
		said := s.Reload(drained(s, 1))
		require.Contains(t, said, `msg="backends have another weight or role" backends=[`+a.URL()+"]\n")
		require.Equal(t, stack.Shares(5, b, c), s.Spread(10))
		for _, p := range slow {
			response, _ := p.Response("GET")
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
		require.Equal(t, []int{1, 0}, []int{s.Changes(a, "up"), s.Changes(a, "down")}, "it is probed as ever")
		s.Reload(drained(s))
		require.Equal(t, stack.Shares(5, a, b, c), s.Spread(15), "its even share at once")
		s.Reload(drained(s, 1, 2, 3))
		require.Equal(t, "503 Service Unavailable: no_backend_alive\n", s.Get("/").Text)
	})
}

// A backend's own answers count against it only if that is asked for.
func TestWhatCountsAgainstABackendIsASetting(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for _, c := range []struct {
			counts string
			path   string
			down   bool
		}{
			{"500,503", "/busy", true},
			{"500", "/busy", false},
			{"bad_response", "/close", false},
			{"reset_before_response", "/close", true},
			{"none", "/close", false},
		} {
			s, _ := newCountings(t, mode, 1, map[string]func(*testkit.Peer){"/busy": unavailable, "/close": closes}, stack.With("HEALTH_PASSIVE_ON", c.counts))
			require.GreaterOrEqual(t, s.Get(c.path).StatusCode, 500)
			if c.down {
				s.Proxy.AwaitLog(`msg="backend is down" .* to=down reason="?(status 503|reset_before_response)`)
				continue
			}
			s.Spread(2)
			require.NotContains(t, s.Proxy.Log(), "backend is down", "%+v", c)
		}
	})
}

// Failures that may be the requests' doing leave at least half of the backends
// in; that nobody listens is not the requests' doing.
func TestSoftFailuresLeaveHalfOfTheBackends(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s, all := newCountings(t, mode, 3, map[string]func(*testkit.Peer){"/poison": closes}, stack.With("HEALTH_PASSIVE_FALL", "2"))
		poison := func() { require.Equal(t, http.StatusBadGateway, s.Get("/poison").StatusCode) }
		goneTwice := func() bool {
			return slices.ContainsFunc(all, func(c *counting) bool {
				return strings.Count(s.Proxy.Log(), "backend=http://"+c.addr+" from=up to=down ") == 2
			})
		}
		// A probe brings each back at once, but only once within an interval: the
		// first to go twice stays away.
		for deadline := time.Now().Add(stack.Patience); !goneTwice(); poison() {
			require.True(t, time.Now().Before(deadline), "every backend is in")
		}
		for range 30 {
			poison()
		}
		s.Spread(4)
		log := s.Proxy.Log()
		require.Equal(t, 1, strings.Count(log, " to=down ")-strings.Count(log, " from=down "), "that are down in the end")

		s = stack.New(t, mode, stack.With("HEALTH_PASSIVE_FALL", "2"), stack.With("HEALTH_CHECK_INTERVAL", never))
		for _, b := range s.Backends {
			b.Kill()
		}
		for range 6 {
			s.Get("/")
		}
		s.AwaitDown(s.Backends...)
	})
}

func TestEjectedBackendStaysOutTwiceAsLongEachTime(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		const first = 700 * time.Millisecond // long enough for two requests on a busy machine
		s, all := newCountings(t, mode, 1, map[string]func(*testkit.Peer){"/close": closes}, stack.With("HEALTH_EJECTION", first.String()))
		for round, ejection := range []time.Duration{first, 2 * first, 4 * first} {
			probes, start := all[0].got("GET /health"), time.Now()
			require.Equal(t, http.StatusBadGateway, s.Get("/close").StatusCode)
			require.Equal(t, http.StatusServiceUnavailable, s.Get("/close").StatusCode)
			require.Eventually(t, func() bool { return all[0].got("GET /health") > probes }, stack.Patience, time.Millisecond)
			require.GreaterOrEqual(t, time.Since(start), ejection, "nobody asks before it is over")
			require.Eventually(t, func() bool { return strings.Count(s.Proxy.Log(), `msg="backend is up"`) == round+2 }, stack.Patience, time.Millisecond)
		}
		s.Proxy.AwaitLog(`level=INFO msg="backend is ejected" backend=\S+ for=2.8s\n`)
	})
}

// silent is an answer that never comes.
func silent(p *testkit.Peer) { p.AwaitEnd() }

func TestAttemptHasItsTime(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		thinks := func(p *testkit.Peer) {
			time.Sleep(500 * time.Millisecond) // which is in time, if the client's part does not count
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		s, all := newCountings(t, mode, 2, map[string]func(*testkit.Peer){"/hang": silent, "/slow": thinks}, stack.With("ATTEMPT_TIMEOUT", "1s"))
		answer := s.Get("/hang")
		require.Equal(t, "504 Gateway Timeout: attempt_timeout\n", answer.Text)
		require.Equal(t, "attempt_timeout", s.Proxy.AwaitRecord("/hang")["cause"])
		s.Proxy.AwaitLog(`msg="backend is down" .* reason="?attempt_timeout`)

		// What the client needs to send its body is not the backend's time.
		up := s.Dial()
		up.Send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
		for _, piece := range []string{"b", "o", "d", "y"} {
			time.Sleep(400 * time.Millisecond) // the client is slow, and takes longer than that
			up.Send(piece)
		}
		response, body := up.Response("POST")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, "ok", body)
		require.Equal(t, 1, total(all, "POST /slow"))
		require.Equal(t, 1, strings.Count(s.Proxy.Log(), `msg="backend is down"`))
	})
}

func TestAttemptThatTakesTooLongIsTriedElsewhere(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		slow := newCounting(t, "slow", map[string]func(*testkit.Peer){"/x": silent})
		quick := newCounting(t, "quick", nil)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(slow.addr, quick.addr), stack.With("HEALTH_CHECK_INTERVAL", never),
			stack.With("ATTEMPT_TIMEOUT", "1s"), stack.With("RETRIES", "1"))
		for slow.got("GET /x") == 0 {
			require.Equal(t, "quick", s.Get("/x").From())
		}
		s.Proxy.AwaitAccess("attempts=attempt_timeout@http://" + slow.addr + ",answered@http://" + quick.addr + " ")
	})
}

func TestExchangeHasItsTime(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		drips := func(p *testkit.Peer) {
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			for {
				time.Sleep(10 * time.Millisecond) // always some progress
				if _, err := p.Write([]byte("some")); err != nil {
					return
				}
			}
		}
		s, _ := newCountings(t, mode, 1, map[string]func(*testkit.Peer){"/hang": silent, "/drips": drips},
			stack.With("TOTAL_TIMEOUT", "1s"), stack.With("RETRIES", "1"))
		require.Equal(t, "504 Gateway Timeout: total_timeout\n", s.Get("/hang").Text)

		_, err := s.Try("GET", "/drips", nil)
		require.Error(t, err, "the rest is missing, and the client is told")
		record := s.Proxy.AwaitRecord("/drips")
		require.Equal(t, []string{"200", "total_timeout"}, []string{record["status"], record["cause"]})

		up := s.Dial()
		up.Send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhalf")
		up.Response("POST")
		up.Send("POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha")
		response, _ := up.Response("POST")
		require.Equal(t, http.StatusGatewayTimeout, response.StatusCode)
		require.Equal(t, "total_timeout", s.Proxy.AwaitRecord("/half")["cause"])

		s.Spread(3)
		require.NotContains(t, s.Proxy.Log(), "backend is down", "nobody is to blame")
	})
}

// A tunnel may last.
func TestTunnelIsNotBoundByTheTimeOfAnExchange(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		echo := func(p *testkit.Peer) {
			p.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			for text := p.Take(4); text != ""; text = p.Take(4) {
				p.Send(text)
			}
		}
		s, _ := newCountings(t, mode, 1, map[string]func(*testkit.Peer){"/echo": echo}, stack.With("TOTAL_TIMEOUT", "500ms"), stack.With("ATTEMPT_TIMEOUT", "500ms"))
		p := s.Dial()
		p.Send("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		require.Contains(t, p.Head(), "101 Switching Protocols")
		time.Sleep(1500 * time.Millisecond) // far beyond both
		p.Send("ping")
		require.Equal(t, "ping", p.Take(4))
	})
}

// locked is the script for one connection at a time.
func locked(script func(*testkit.Peer)) func(*testkit.Peer) {
	var mu sync.Mutex
	return func(p *testkit.Peer) {
		mu.Lock()
		defer mu.Unlock()
		script(p)
	}
}

func TestTrustedClientIsToldHowItsResponseCame(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for _, trusted := range []bool{true, false} {
			proxies := "192.0.2.1"
			if trusted {
				proxies = "127.0.0.1"
			}
			asked := 0
			probe := func(p *testkit.Peer) { // well at first
				if asked++; asked > 2 {
					unavailable(p)
					return
				}
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			s, all := newCountings(t, mode, 2, map[string]func(*testkit.Peer){"/x": closes, "/health": locked(probe)},
				stack.With("TRUSTED_PROXIES", proxies), stack.With("RETRIES", "1"))
			first, second := "http://"+all[0].addr, "http://"+all[1].addr
			failed := s.Do("GET", "/x", nil, "X-Proxy-Explain", "1")
			require.Equal(t, http.StatusBadGateway, failed.StatusCode)
			answer := s.Do("GET", "/", nil, "X-Proxy-Explain", "1")
			require.Equal(t, http.StatusOK, answer.StatusCode)
			if !trusted {
				require.Empty(t, answer.Header["X-Proxy-Explain"])
				require.Empty(t, failed.Header["X-Proxy-Explain"])
				continue
			}
			down := "excluded " + first + ` state=down weight=1 in_flight=0 because="reset_before_response: EOF"`
			require.Equal(t, []string{
				"policy round_robin",
				down,
				"candidate " + second + " state=up weight=1 in_flight=0",
				"attempt reset_before_response@" + first,
				"attempt reset_before_response@" + second,
			}, failed.Header["X-Proxy-Explain"])
			require.Equal(t, []string{
				"policy round_robin",
				down,
				"candidate " + second + " state=up weight=1 in_flight=1",
				"attempt answered@" + second,
			}, answer.Header["X-Proxy-Explain"])
			p := s.Dial() // what was told once is not told again unasked
			p.Send("GET / HTTP/1.1\r\nHost: x\r\nX-Proxy-Explain: 1\r\n\r\n")
			told, _ := p.Response("GET")
			require.NotEmpty(t, told.Header["X-Proxy-Explain"])
			p.Send("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n")
			refused, _ := p.Response("CONNECT")
			require.Equal(t, http.StatusMethodNotAllowed, refused.StatusCode)
			require.Empty(t, refused.Header["X-Proxy-Explain"])
			for _, value := range []string{"0", "", "yes"} {
				require.Empty(t, s.Do("GET", "/", nil, "X-Proxy-Explain", value).Header["X-Proxy-Explain"])
			}
		}
	})
}

// What is asked of this proxy is not asked of those behind it, and what they tell
// is not for this one's clients.
func TestExplanationsEndAtTheProxy(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for _, proxies := range []string{"192.0.2.1", "127.0.0.1"} {
			asked := make(chan string, 1)
			inner := testkit.Script(t, func(p *testkit.Peer) {
				for head := p.Head(); head != ""; head = p.Head() {
					if strings.HasPrefix(head, "GET /x ") {
						asked <- head
					}
					p.Send("HTTP/1.1 200 OK\r\nX-Proxy-Explain: candidate http://secret\r\nContent-Length: 0\r\n\r\n")
				}
			})
			s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(inner), stack.With("TRUSTED_PROXIES", proxies))
			answer := s.Do("GET", "/x", nil, "X-Proxy-Explain", "1")
			require.NotContains(t, <-asked, "X-Proxy-Explain")
			require.NotContains(t, strings.Join(answer.Header["X-Proxy-Explain"], ","), "secret")
		}
	})
}
