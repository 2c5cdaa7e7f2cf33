package e2e

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// weighed are the options for a proxy whose file has the policy, other keys,
// and for each backend, by number from 1, what it has besides its URL.
func weighed(policy, others string, backends ...string) stack.Option {
	return stack.WithFile(func(urls []string) string { return weighedFile(policy, others, urls, backends...) })
}

func weighedFile(policy, others string, urls []string, backends ...string) string {
	items := make([]string, len(backends))
	for i, with := range backends {
		items[i] = fmt.Sprintf(`{"url": %q, %s}`, urls[i], with)
	}
	return fmt.Sprintf(`{"policy": %q, "backends": [%s], %s}`, policy, strings.Join(items, ", "), others)
}

// urlsOf are those of the stack's backends.
func urlsOf(s *stack.Stack) []string {
	var urls []string
	for _, b := range s.Backends {
		urls = append(urls, b.URL())
	}
	return urls
}

// order is who answers n requests in a row, a letter for each backend.
func order(s *stack.Stack, n int) string {
	var letters []string
	for range n {
		answer := s.Get("/")
		for i, b := range s.Backends {
			if b.ID() == answer.From() {
				letters = append(letters, string(rune('a'+i)))
			}
		}
	}
	return strings.Join(letters, " ")
}

func TestWeightedRotationIsSmoothAndExact(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, weighed("weighted_round_robin", "", `"weight": 50`, `"weight": 10`, `"weight": 10`))
		require.Equal(t, "a a b a c a a a a b a c a a", order(s, 14))
		for start := range 3 {
			s.Spread(start)
			b := s.Backend(2)
			b.Health("down")
			s.AwaitDown(b)
			require.Equal(t, map[string]int{s.Backend(1).ID(): 50, s.Backend(3).ID(): 10}, s.Spread(60))
			b.Health("up")
			s.AwaitUp(b)
			require.Equal(t, map[string]int{s.Backend(1).ID(): 50, b.ID(): 10, s.Backend(3).ID(): 10}, s.Spread(70))
		}
	})
}

// oneByOne is Spread for policies that go by load: each request has ended, also
// for the proxy, before the next one is sent.
func oneByOne(s *stack.Stack, n int) map[string]int {
	counts := make(map[string]int)
	lines := strings.Count(s.Proxy.AccessLog(), "\n")
	for i := range n {
		counts[s.Get("/").From()]++
		s.Proxy.AwaitLines(lines + i + 1)
	}
	return counts
}

func TestLeastConnectionsLeavesBusyBackendsAlone(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, steady, stack.With("LB_POLICY", "least_connections"))
		require.Equal(t, "a b c a b c", order(s, 6), "of equals each in turn")
		inFlight(s, "GET", "/hangs?fault=hang", "\r\n")
		require.Equal(t, stack.Shares(15, s.Backend(2), s.Backend(3)), oneByOne(s, 30))
	})
}

func TestLeastConnectionsLoadsByWeight(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, steady, weighed("least_connections", "", `"weight": 4`, `"weight": 2`, `"weight": 1`))
		for n := range 14 {
			inFlight(s, "GET", fmt.Sprintf("/hangs%d?fault=hang", n), "\r\n")
		}
		for i, want := range []int{8, 4, 2} {
			require.Equal(t, want, strings.Count(s.Proxy.Log(), "msg=picked backend="+s.Backend(i+1).URL()+" "), "backend %d", i+1)
		}
	})
}

func TestPowerOfTwoLeavesTheBusierOfTwoAlone(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, steady, stack.WithBackends(2), stack.With("LB_POLICY", "power_of_two"))
		require.Len(t, s.Spread(100), 2, "both are drawn")
		inFlight(s, "GET", "/hangs?fault=hang", "\r\n")
		busy, idle := s.Backend(1), s.Backend(2)
		if s.Proxy.AwaitLog(`msg=picked backend=(\S+) .* path=/hangs\n`) == idle.URL() {
			busy, idle = idle, busy
		}
		require.Equal(t, stack.Shares(50, idle), oneByOne(s, 50), "%s is busy", busy.Name)
	})
}

// Draws are within 8 standard deviations of their weights.
func TestRandomPoliciesShareByWeight(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		for _, policy := range []string{"random", "power_of_two"} {
			t.Run(policy, func(t *testing.T) {
				s := stack.New(t, mode, steady, weighed(policy, "", `"weight": 6`, `"weight": 3`, `"weight": 1`))
				const n = 800
				got := s.Spread(n)
				for i, part := range []float64{0.6, 0.3, 0.1} {
					require.InDelta(t, n*part, got[s.Backend(i+1).ID()], 8*math.Sqrt(n*part*(1-part)), "%v", got)
				}
			})
		}
	})
}

func TestBackupsAreForWhenNoOtherIsAlive(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, weighed("round_robin", "", `"backup": false`, `"backup": true`, `"backup": true`))
		first := s.Backend(1)
		require.Equal(t, stack.Shares(20, first), s.Spread(20))
		first.Health("down")
		s.AwaitDown(first)
		require.Equal(t, stack.Shares(20, s.Backend(2), s.Backend(3)), s.Spread(40))
		first.Health("up")
		s.AwaitUp(first)
		require.Equal(t, stack.Shares(20, first), s.Spread(20))
	})
}

// In the first moment of an hour a backend that came back has a tenth of its
// share, as exactly as the others have theirs.
func TestBackendThatCameBackBeginsWithATenth(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed(`"policy": "weighted_round_robin", "slow_start": "1h"`, 1, 2))
		a, b, c := s.Backend(1), s.Backend(2), s.Backend(3)
		require.Equal(t, stack.Shares(10, a, b), s.Spread(20), "who starts together shares evenly")
		b.Health("down")
		s.AwaitDown(b)
		b.Health("up")
		s.AwaitUp(b)
		require.Equal(t, map[string]int{a.ID(): 100, b.ID(): 10}, s.Spread(110))
		s.Reload(with(`"policy": "weighted_round_robin", "slow_start": "1h"`, a, b, c))
		s.AwaitUp(c)
		require.Equal(t, map[string]int{a.ID(): 100, b.ID(): 10, c.ID(): 10}, s.Spread(120))
		s.Reload(with(`"policy": "weighted_round_robin", "slow_start": "off"`, a, b, c))
		require.Eventually(t, func() bool {
			counts := s.Spread(120)
			return counts[b.ID()] == 40 && counts[c.ID()] == 40
		}, stack.Patience, 1, "all have all of it without")
	})
}

func TestBackendThatCameBackRisesToItsShare(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("LB_POLICY", "weighted_round_robin"), stack.With("LB_SLOW_START", "3s"))
		b := s.Backend(2)
		b.Health("down")
		s.AwaitDown(b)
		b.Health("up")
		s.AwaitUp(b)
		back, least := time.Now(), 40
		// Requests from before a step and from behind it may happen to be 40, too.
		require.Eventually(t, func() bool {
			last := s.Spread(120)[b.ID()]
			least = min(least, last)
			return last == 40 && time.Since(back) > 4*time.Second
		}, stack.Patience, 1)
		require.Less(t, least, 40, "it had less on its way")
		require.Equal(t, stack.Shares(40, s.Backends...), s.Spread(120))
	})
}

func TestPolicyAndWeightsChangeWithAReload(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1, 2, 3))
		require.Equal(t, stack.Shares(10, s.Backends...), s.Spread(30))
		held := inFlight(s, "GET", "/held?delay=1s", "\r\n")
		said := s.Reload(weighedFile("weighted_round_robin", "", urlsOf(s), `"weight": 2`, `"weight": 1`, `"backup": true`))
		require.Contains(t, said, `changed="[backends policy]"`)
		s.Proxy.AwaitLog(`level=INFO msg="backends have another weight or role" backends="\[` + s.Backend(1).URL() + ` ` + s.Backend(3).URL() + `\]"\n`)
		require.Equal(t, map[string]int{s.Backend(1).ID(): 20, s.Backend(2).ID(): 10}, s.Spread(30))
		response, _ := held.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		s.Reload(with(`"policy": "consistent_hash", "hash_key": "path"`, s.Backends...))
		require.Len(t, s.Spread(30), 1)
		for _, b := range s.Backends {
			require.Equal(t, 1, s.Changes(b, "up"), "nobody's state was touched")
		}
	})
}

func TestWhatThePolicyWouldNotUseIsRefused(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		for text, problem := range map[string]string{
			`{"backends": [{"url": "http://a", "weight": 2}]}`:                       `backends: the weight of http://a is not used by policy round_robin (default); valid: `,
			`{"slow_start": "30s"}`:                                                  `slow_start: "30s": it is not used by policy round_robin (default); valid: `,
			`{"policy": "random", "hash_key": "path"}`:                               `hash_key: "path": it is not used by policy random (proxy.json:1:12); valid: `,
			`{"policy": "random", "hash_bound": "125%"}`:                             `hash_bound: "125%": it is not used by policy random (proxy.json:1:12); valid: `,
			`{"backends": [{"url": "http://a", "weight": 257}], "policy": "random"}`: `backends: "257": out of range; valid: a whole number from 1 to 256`,
		} {
			got := stack.RunProgramWith(t, mode, stack.Files{"proxy.json": text}, "reverse_proxy", nil, "-config=proxy.json")
			require.Equal(t, 2, got.Code)
			require.Contains(t, got.Stderr, problem)
		}
	})
}
