package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// served counts, by backend, the next n requests.
func served(s *stack.Stack, n int) map[string]int {
	s.T.Helper()
	before := len(s.Proxy.Records())
	for i := range n {
		answer := s.Get(fmt.Sprintf("/%d", i))
		require.Equal(s.T, 200, answer.StatusCode)
		require.Contains(s.T, answer.Text, "backends:8081", "its Host is the name")
	}
	s.Proxy.AwaitLines(before + n)
	counts := make(map[string]int)
	for _, r := range s.Proxy.Records()[before:] {
		counts[r["backend"]]++
	}
	return counts
}

// Containers whose network is taken away and given back are out of the name's
// answer and in it again.
func TestAddressesOfANameAreBackendsThatComeAndGo(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Containers}, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithOneName(), stack.With("BACKEND_RESOLVE", "all"), stack.With("BACKEND_RESOLVE_INTERVAL", "100ms"))
		counts := served(s, 30)
		require.Len(t, counts, 3)
		for backend, n := range counts {
			require.Regexp(t, `^http://backends:8081#[0-9.]+$`, backend)
			require.Equal(t, 10, n)
		}
		s.Backend(2).Disconnect()
		gone := s.Proxy.AwaitLog(`msg="backends follow their names" added=\[\] removed=\[(\S+)\]`)
		delete(counts, gone)
		counts2 := served(s, 20)
		require.Len(t, counts2, 2)
		for backend := range counts2 {
			require.Equal(t, 10, counts2[backend])
			require.Contains(t, counts, backend, "those that stay are the same")
		}
		s.Backend(2).Reconnect()
		require.Eventually(t, func() bool { return strings.Count(s.Proxy.Log(), " to=up ") == 3+1 }, stack.Patience, time.Millisecond,
			"it is back")
		require.Equal(t, 3+1, strings.Count(s.Proxy.Log(), "from=unknown"), "and new")
		require.Len(t, served(s, 30), 3)
	})
}
