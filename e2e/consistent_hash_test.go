package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// withKey is a request that has the key where hash_key says it is.
var withKey = map[string]func(s *stack.Stack, key string) stack.Answer{
	"path":          func(s *stack.Stack, key string) stack.Answer { return s.Get("/" + key + "?a=" + key) },
	"query:user":    func(s *stack.Stack, key string) stack.Answer { return s.Get("/?a=b&user=" + key) },
	"header:x-user": func(s *stack.Stack, key string) stack.Answer { return s.Do("GET", "/", nil, "X-User", key) },
	"cookie:user": func(s *stack.Stack, key string) stack.Answer {
		return s.Do("GET", "/", nil, "Cookie", "a=b; user="+key)
	},
	"client_address": func(s *stack.Stack, key string) stack.Answer {
		return s.Do("GET", "/", nil, "X-Forwarded-For", "2001:db8::"+strings.TrimPrefix(key, "k"))
	},
}

// owners is who answers for each of n keys.
func owners(s *stack.Stack, hashKey string, n int) []string {
	var all []string
	for i := range n {
		answer := withKey[hashKey](s, fmt.Sprintf("k%d", i))
		require.Equal(s.T, http.StatusOK, answer.StatusCode)
		all = append(all, answer.From())
	}
	return all
}

// hashing are the options for a proxy that goes by the key. It believes
// everybody's X-Forwarded-For, so that a test can have many addresses.
func hashing(hashKey string) []stack.Option {
	return []stack.Option{stack.With("LB_POLICY", "consistent_hash"), stack.With("LB_HASH_KEY", hashKey), stack.With("TRUSTED_PROXIES", "0.0.0.0/0,::/0")}
}

// steady lets nobody go, so that no probe that a busy machine answers late
// moves keys.
var steady = stack.With("HEALTH_CHECK_FALL", "1000")

func TestSameKeyGoesToTheSameBackend(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		for hashKey := range withKey {
			t.Run(hashKey, func(t *testing.T) {
				s := stack.New(t, mode, append(hashing(hashKey), steady)...)
				first := owners(s, hashKey, 60)
				for _, b := range s.Backends {
					require.Contains(t, first, b.ID(), "every backend has some")
				}
				require.Equal(t, first, owners(s, hashKey, 60))
			})
		}
	})
}

// A stranger cannot choose its backend by saying who it is.
func TestClientAddressIsNotWhatStrangersSay(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("LB_POLICY", "consistent_hash"), steady)
		one := owners(s, "client_address", 30)
		require.Len(t, slices.Compact(one), 1, "they all come from one address")
	})
}

func TestRequestsWithoutTheKeyAreSpread(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, append(hashing("cookie:user"), steady)...)
		got := s.Spread(300)
		for _, b := range s.Backends {
			require.InDelta(t, 100, got[b.ID()], 65) // 8 standard deviations
		}
	})
}

func TestKeysOfABackendThatGoesMoveAndFewOthers(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		const n = 600
		s := stack.New(t, mode, hashing("path")...)
		before := owners(s, "path", n)
		out := s.Backend(2)
		out.Health("down")
		s.AwaitDown(out)
		others := 0
		for i, owner := range owners(s, "path", n) {
			require.NotEqual(t, out.ID(), owner)
			if owner != before[i] && before[i] != out.ID() {
				others++
			}
		}
		require.LessOrEqual(t, others, n*2/100)
		out.Health("up")
		s.AwaitUp(out)
		require.Equal(t, before, owners(s, "path", n), "they come back with it")
	})
}

func TestTwoProxiesChooseTheSameWithoutTalking(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		one := stack.New(t, mode, append(hashing("path"), steady)...)
		urls := urlsOf(one)
		slices.Reverse(urls)
		other := stack.New(t, mode, append(hashing("path"), steady, stack.WithBackends(0), stack.With("TARGET_BACKEND_URLS", strings.Join(urls, ",")))...)
		require.Equal(t, owners(one, "path", 100), owners(other, "path", 100))
	})
}

// Forty requests of one user at a time: without a bound one backend has all of
// them, with one of 150% half of them, and the others have the rest.
func TestHashBoundLimitsWhatOneBackendHas(t *testing.T) {
	const n = 40
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		for bound, most := range map[string]int{"off": n, "150%": n / 2} {
			t.Run(bound, func(t *testing.T) {
				s := stack.New(t, mode, append(hashing("query:user"), steady, stack.With("LB_HASH_BOUND", bound))...)
				for i := range n {
					inFlight(s, "GET", fmt.Sprintf("/%d?fault=hang&user=x", i), "\r\n")
				}
				var counts []int
				for _, b := range s.Backends {
					counts = append(counts, strings.Count(s.Proxy.Log(), "msg=picked backend="+b.URL()+" "))
				}
				require.Equal(t, most, slices.Max(counts), "%v", counts)
			})
		}
	})
}
