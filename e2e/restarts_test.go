package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// A backend that dies and comes back all the time costs the others nothing,
// leaves nothing open in the proxy, and has its even share in the end.
func TestManyRestartsOfABackendDoNotReachTheOthers(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		restarts := map[stack.Mode]int{stack.InProcess: 200, stack.Binaries: 50}[mode] // a process takes its time
		s := stack.New(t, mode, stack.With("LOG_LEVEL", "info"), stack.With("BACKEND_IDLE_TIMEOUT", "100ms"),
			// It is found out by traffic and comes back by a probe, both quickly;
			// probes that a busy machine answers late take nobody out.
			stack.With("HEALTH_CHECK_INTERVAL", "20ms"), stack.With("HEALTH_CHECK_FALL", "1000"))
		open := 0
		if mode == stack.Binaries {
			open = s.Proxy.Descriptors()
		}
		load := s.Load(200, "") // gentle: it is not the load that is on trial
		for range restarts {
			killed := time.Now()
			s.Backend(2).Kill()
			s.AwaitDown(s.Backend(2))
			require.Less(t, time.Since(killed), 5*time.Second, "traffic finds it out, long before 1000 probes would")
			s.Backend(2).Start()
			s.AwaitUp(s.Backend(2))
		}
		shots := load.Stop()
		failures := 0
		for _, shot := range shots {
			require.NoError(t, shot.Err, "every request is answered")
			if !shot.Good() {
				failures++
				require.Equal(t, s.Backend(2).URL(), s.Proxy.AwaitRecord(shot.Path)["backend"], "%+v: the others are healthy", shot)
			}
		}
		require.GreaterOrEqual(t, s.Changes(s.Backend(2), "down"), restarts)
		require.Equal(t, stack.Shares(100, s.Backends...), s.Spread(300))
		t.Logf("%d of %d requests failed", failures, len(shots))

		if mode == stack.Binaries {
			s.CloseIdle()
			require.Eventually(t, func() bool { return s.Proxy.Descriptors() <= open }, stack.Patience, 10*time.Millisecond,
				"connections to a backend that is gone stay open")
		}
	})
}
