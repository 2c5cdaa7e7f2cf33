package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// resilienceRules are settings, each with what it does to a stack of sample
// backends that are all well before and after.
var resilienceRules = []struct {
	settings string
	shows    func(t *testing.T, s *stack.Stack)
}{
	{`"retries": 1, "retry_on": [503]`, func(t *testing.T, s *stack.Stack) {
		s.Backend(1).Fault("status=503")
		require.Equal(t, 6, statuses(s, "GET", "/", 6)[http.StatusOK])
		require.Equal(t, 2, statuses(s, "POST", "/", 6)[http.StatusServiceUnavailable], "not what may have been carried out")
		s.Backend(1).Fault("")
	}},
	{`"retries": 2`, func(t *testing.T, s *stack.Stack) {
		require.Equal(t, http.StatusBadGateway, s.Get("/poison?fault=close").StatusCode)
		attempts := strings.Split(s.Proxy.AwaitRecord("/poison")["attempts"], ",")
		for i, b := range s.Backends {
			require.Contains(t, strings.Join(attempts, ","), "reset_before_response@"+b.URL(), "attempt %d", i)
		}
	}},
	{`"timeouts": {"attempt": "1s"}`, func(t *testing.T, s *stack.Stack) {
		require.Equal(t, "504 Gateway Timeout: attempt_timeout\n", s.Get("/hang?fault=hang").Text)
	}},
	{`"timeouts": {"total": "1s"}`, func(t *testing.T, s *stack.Stack) {
		downs := strings.Count(s.Proxy.Log(), " to=down ")
		require.Equal(t, "504 Gateway Timeout: total_timeout\n", s.Get("/hang?fault=hang").Text)
		require.Equal(t, 3, statuses(s, "GET", "/", 3)[http.StatusOK])
		require.Equal(t, downs, strings.Count(s.Proxy.Log(), " to=down "), "nobody is to blame")
	}},
	{`"trusted_proxies": ["0.0.0.0/0", "::/0"]`, func(t *testing.T, s *stack.Stack) {
		answer := s.Do("GET", "/", nil, "X-Proxy-Explain", "1")
		lines := answer.Header["X-Proxy-Explain"]
		require.Len(t, lines, 5, "the policy, three backends, one attempt")
		require.Equal(t, "policy round_robin", lines[0])
		require.Regexp(t, `^candidate http://\S+ state=up weight=1 in_flight=[01]$`, lines[1])
		require.Regexp(t, `^attempt answered@http://\S+$`, lines[4])
	}},
	{`"max_in_flight": 1, "queue": 1, "timeouts": {"queue": "100ms"}`, func(t *testing.T, s *stack.Stack) {
		busy := inFlight(s, "GET", "/busy?fault=hang", "\r\n")
		requireOverloaded(t, s, "/beyond")
		s.Proxy.AwaitLog("msg=queued .* path=/beyond\n")
		busy.Reset()
		s.Proxy.AwaitRecord("/busy")
		require.Equal(t, 3, statuses(s, "GET", "/", 3)[http.StatusOK])
	}},
	{`"health": {"interval": "1h", "passive_on": ["503"], "ejection": "2s"}`, func(t *testing.T, s *stack.Stack) {
		ups := s.Changes(s.Backend(1), "up")
		s.Backend(1).Fault("status=503")
		require.Equal(t, 1, statuses(s, "GET", "/", 6)[http.StatusServiceUnavailable], "it is out after one, for longer than these take")
		s.Proxy.AwaitLog(`msg="backend is ejected" backend=` + s.Backend(1).URL() + ` for=2s\n`)
		require.Equal(t, "status 503", s.Reason(s.Backend(1)))
		s.Backend(1).Fault("")
		s.AwaitUp(s.Backend(1))
		require.Equal(t, ups+1, s.Changes(s.Backend(1), "up"))
		require.Equal(t, 3, statuses(s, "GET", "/?fault=close", 3)[http.StatusBadGateway])
		s.AwaitUp(s.Backends...) // none of that counts
	}},
}

// statuses counts those of n answers.
func statuses(s *stack.Stack, method, path string, n int) map[int]int {
	counts := make(map[int]int)
	for range n {
		counts[s.Do(method, path, nil).StatusCode]++
	}
	return counts
}

// Each rule is put in force by a reload, and taken back by the next.
func TestResilienceIsInForceAfterAReload(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		const quick = `"health": {"interval": "1h"}`
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", ""), filed(quick, 1, 2, 3))
		for i, rule := range resilienceRules {
			settings := rule.settings
			if !strings.Contains(settings, `"health"`) {
				settings += ", " + quick
			}
			require.Contains(t, s.Reload(with(settings, s.Backends...)), `msg="configuration reloaded"`, "rule %d", i)
			rule.shows(t, s)
			// Another setting of the checks has everybody probed at once.
			s.Reload(with(fmt.Sprintf(`"health": {"interval": "%dh"}`, i+2), s.Backends...))
			s.AwaitUp(s.Backends...)
		}
	})
}
