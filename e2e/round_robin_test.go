package e2e

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

func TestRequestsAreSharedExactly(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("LOG_LEVEL", "info"))
		require.Equal(t, stack.Shares(1000, s.Backends...), s.Spread(3000))
	})
}

func TestRequestsAreSharedEvenlyUnderConcurrency(t *testing.T) {
	const clients, each = 64, 90
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("LOG_LEVEL", "info"))
		var mu sync.Mutex
		counts := make(map[string]int)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for range each {
					answer, err := s.Try("GET", "/", nil)
					mu.Lock()
					if err != nil || answer.StatusCode != 200 {
						t.Error(answer.Status, err)
					}
					counts[answer.From()]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for _, b := range s.Backends {
			require.InEpsilon(t, clients*each/3, counts[b.ID()], 0.01, "%v", counts)
		}
	})
}

func TestAfterAnEvictionTheRestShareEvenly(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithQuickProbes())
		out := s.Backend(2)
		out.Health("down")
		s.AwaitDown(out)
		require.Equal(t, stack.Shares(300, s.Backend(1), s.Backend(3)), s.Spread(600))
		out.Health("up")
		s.AwaitUp(out)
		require.Equal(t, stack.Shares(200, s.Backends...), s.Spread(600), "the recovered one has its share at once")
	})
}
