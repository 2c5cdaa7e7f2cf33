package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// The time to notice is an interval with its jitter and a timeout at most;
// measured from outside, where a busy machine adds its own.
func TestSickBackendIsOutWithinIntervalAndTimeout(t *testing.T) {
	const interval, timeout, machine = 200 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", interval.String()), stack.With("HEALTH_CHECK_TIMEOUT", timeout.String()))
		sick := s.Backend(1)
		for _, how := range []string{"down", "hang"} {
			start := time.Now()
			sick.Health(how)
			s.AwaitDown(sick)
			require.Less(t, time.Since(start), interval*11/10+timeout+machine, how)
			require.Equal(t, stack.Shares(5, s.Backend(2), s.Backend(3)), s.Spread(10))
			sick.Health("up")
			s.AwaitUp(sick)
		}
	})
}
