package health_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

const passed = "http://a: down -> up: probe succeeded"
const failed = "http://a: up -> down: reset_before_response"

func TestABackendMarkedDownByTrafficIsProbedAtOnce(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.changed()
		s.fail()
		require.Equal(t, []string{"3s " + failed, "3s " + passed}, s.changed(), "healthy: back in the same instant")
	}, healthy)
}

func TestTheFavourTakesAsLongAsTheProbe(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.changed()
		s.fail()
		s.until(4 * time.Second)
		require.Equal(t, []string{"3s " + failed, "3.005s " + passed}, s.changed())
	}, takes(5*time.Millisecond))
}

func TestTheIntervalBeginsAnewWithTheFavour(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.fail()
		s.until(43 * time.Second)
		require.Equal(t, []time.Duration{
			0, 3 * time.Second, 13 * time.Second, 23 * time.Second, 33 * time.Second, 43 * time.Second,
		}, s.probed("http://a"))
	}, healthy)
}

func TestASickBackendGetsOneProbeForTheFavourAndStaysDown(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.changed()
		s.fail()
		s.until(13*time.Second - 1)
		require.Equal(t, []string{"3s " + failed}, s.changed())
		require.Equal(t, []time.Duration{0, 3 * time.Second}, s.probed("http://a"))
		s.until(13 * time.Second)
		require.Equal(t, []string{"13s " + passed}, s.changed())
	}, results("+-+"))
}

func TestRiseCountsTheFavourAsOne(t *testing.T) {
	slow := settings()
	slow.Rise = 3
	play(t, slow, func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.changed()
		s.fail()
		s.until(time.Minute)
		require.Equal(t, []string{"3s " + failed, "23s " + passed}, s.changed())
	}, healthy)
}

func TestASecondFavourWithinAnIntervalOfItsReturnIsRefused(t *testing.T) {
	for _, second := range []time.Duration{3 * time.Second, 3*time.Second + 1, 8 * time.Second, 13*time.Second - 1} {
		t.Run(second.String(), func(t *testing.T) {
			play(t, settings(), func(t *testing.T, s *stage) {
				s.until(3 * time.Second)
				s.fail()
				s.until(second)
				s.changed()
				s.fail()
				s.until(13*time.Second - 1)
				require.Equal(t, []string{second.String() + " " + failed}, s.changed())
				s.until(13 * time.Second)
				require.Equal(t, []string{"13s " + passed}, s.changed(), "one interval after the favour")
				require.Equal(t, []time.Duration{0, 3 * time.Second, 13 * time.Second}, s.probed("http://a"))
			}, healthy)
		})
	}
}

func TestAReturnByARegularProbeUsesUpTheFavourToo(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval)
		require.Equal(t, []string{
			"0s http://a: unknown -> down: " + errSick.Error(), "10s " + passed,
		}, s.changed())
		s.until(12 * time.Second)
		s.fail()
		s.until(19 * time.Second)
		require.Equal(t, []string{"12s " + failed}, s.changed())
		s.until(2 * interval)
		require.Equal(t, []string{"20s " + passed}, s.changed())
	}, results("-+"))
}

func TestTheFavourIsGrantedAgainAnIntervalAfterItsReturn(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.fail()
		s.until(13 * time.Second)
		s.changed()
		s.fail()
		require.Equal(t, []string{"13s " + failed, "13s " + passed}, s.changed())
	}, healthy)
}

// flap has every request fail as soon as there is a backend to fail it, for
// 100 intervals, and returns when it came back.
func flap(t *testing.T, jitter float64, script script) (returns []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		jittery := settings()
		jittery.Jitter = jitter
		up := make(chan struct{}, 1)
		var s *stage
		s = set(t, jittery, func(c pool.Change) {
			if c.To != pool.Up {
				s.checker.Nudge(c.Backend)
				return
			}
			if c.From == pool.Down {
				returns = append(returns, s.now())
			}
			up <- struct{}{}
		}, script)
		s.run()
		traffic := make(chan struct{})
		go func() {
			defer close(traffic)
			for range up {
				if lease, err := s.pool.Acquire(pool.NoKey); err == nil {
					lease.Failed("reset_before_response")
				}
			}
		}()
		s.until(100*interval - 1)
		s.stop()
		<-s.ended
		close(up)
		<-traffic
	})
	return returns
}

func TestABackendThatOnlyAnswersProbesReturnsOncePerInterval(t *testing.T) {
	require.Equal(t, every(interval, 100), flap(t, 0, healthy))
}

func TestABackendThatOnlyAnswersProbesReturnsOncePerIntervalWithJitter(t *testing.T) {
	returns := flap(t, 0.1, takes(time.Millisecond))
	require.InDelta(t, 100, len(returns), 10)
	for _, gap := range gaps(returns) {
		require.GreaterOrEqual(t, gap, interval-interval/10)
		require.LessOrEqual(t, gap, interval+interval/10)
	}
}

func TestNudgesNeverWaitAndAddUpToOneProbe(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(500 * time.Millisecond)
		for range 1000 {
			s.checker.Nudge(s.pool.Backends()[0])
		}
		require.Equal(t, 500*time.Millisecond, s.now())
		s.until(time.Second)
		require.Equal(t, []time.Duration{0, time.Second}, s.probed("http://a"), "one, after the probe that was under way")
	}, takes(time.Second))
}

func TestANudgeBeforeRunDoesNotWaitEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := set(t, settings(), nil, healthy)
		for range 3 {
			s.checker.Nudge(s.pool.Backends()[0])
		}
		require.Zero(t, s.now())
	})
}

func TestANudgeAfterRunDoesNotWaitEither(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.stop()
		<-s.ended
		for range 3 {
			s.checker.Nudge(s.pool.Backends()[0])
		}
		require.Equal(t, time.Second, s.now())
		require.Equal(t, []time.Duration{0}, s.probed("http://a"))
	}, healthy)
}

func TestANudgeConcernsOneBackend(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.checker.Nudge(s.pool.Backends()[1])
		s.until(interval)
		require.Equal(t, []time.Duration{0, interval}, s.probed("http://a"))
		require.Equal(t, []time.Duration{0, time.Second}, s.probed("http://b"))
		s.until(11 * time.Second)
		require.Equal(t, []time.Duration{0, time.Second, 11 * time.Second}, s.probed("http://b"))
	}, healthy, healthy)
}

// A probe that was under way when traffic marked the backend down counts: it
// brings the backend back, and is the favour.
func TestAProbeUnderWayServesAsTheFavour(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval + time.Second/2)
		s.changed()
		s.fail()
		s.until(2*interval - 1)
		require.Equal(t, []string{"10.5s " + failed, "11s " + passed}, s.changed())
		require.Equal(t, []time.Duration{0, interval}, s.probed("http://a"))
	}, takes(time.Second))
}

func TestNoFavourIsGrantedWhileStopping(t *testing.T) {
	for i := range 50 { // which of two news comes first is a matter of chance
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			play(t, settings(), func(t *testing.T, s *stage) {
				s.until(time.Second)
				s.stop()
				s.checker.Nudge(s.pool.Backends()[0])
				<-s.ended
				require.Equal(t, pool.Up, s.pool.Backends()[0].State())
				require.Len(t, s.changed(), 1)
			}, func(ctx context.Context, _ int) error { return ctx.Err() })
		})
	}
}
