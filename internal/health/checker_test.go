package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/health"
	"go-proxy/internal/pool"
)

func TestFirstProbesRunAtOnceAndSideBySide(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(0)
		for _, b := range s.pool.Backends() {
			require.Equal(t, []time.Duration{0}, s.probed(b.String()), b)
		}
		s.until(time.Second)
		require.ElementsMatch(t, []string{
			"1s http://a: unknown -> up: probe succeeded",
			"1s http://b: unknown -> up: probe succeeded",
			"1s http://c: unknown -> up: probe succeeded",
		}, s.changed())
	}, takes(time.Second), takes(time.Second), takes(time.Second))
}

func TestReadyWaitsForTheLastFirstProbe(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(700*time.Millisecond - 1)
		require.False(t, s.ready())
		s.until(700 * time.Millisecond)
		require.True(t, s.ready())
		for i, want := range []pool.State{pool.Up, pool.Up, pool.Down} {
			require.Equal(t, want, s.pool.Backends()[i].State())
		}
	}, takes(200*time.Millisecond), takes(700*time.Millisecond), sick)
}

func TestReadyWaitsNoLongerThanTheTimeout(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(timeout - 1)
		require.False(t, s.ready())
		s.until(timeout)
		require.True(t, s.ready())
		require.Equal(t, pool.Up, s.pool.Backends()[0].State())
		require.Equal(t, pool.Down, s.pool.Backends()[1].State())
	}, healthy, hangs)
}

func TestReadyIsImmediateWhenThereIsNobodyToProbe(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(0)
		require.True(t, s.ready())
	})
}

// every is when probes start that are an interval apart.
func every(interval time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(i) * interval
	}
	return all
}

func TestWithoutJitterTheIntervalIsExact(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(1000 * interval)
		require.Equal(t, every(interval, 1001), s.probed("http://a"))
	}, healthy)
}

func TestTheIntervalCountsFromTheStartOfAProbe(t *testing.T) {
	for name, script := range map[string]script{
		"fast": healthy, "slow": takes(timeout - 1), "failing": sick, "hanging": hangs,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, settings(), func(t *testing.T, s *stage) {
				s.until(100 * interval)
				require.Equal(t, every(interval, 101), s.probed("http://a"))
			}, script)
		})
	}
}

func TestAProbeMayTakeTheWholeInterval(t *testing.T) {
	whole := settings()
	whole.Timeout = whole.Interval
	play(t, whole, func(t *testing.T, s *stage) {
		s.until(100 * interval)
		require.Equal(t, every(interval, 101), s.probed("http://a"))
	}, hangs)
}

func TestASlowBackendDelaysNobodyElse(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(10 * interval)
		require.Equal(t, every(interval, 11), s.probed("http://b"))
	}, hangs, healthy)
}

func TestJitterSpreadsTheProbesWithinItsBounds(t *testing.T) {
	jittery := settings()
	jittery.Jitter = 0.1
	play(t, jittery, func(t *testing.T, s *stage) {
		s.until(2000 * interval)
		a, b := gaps(s.probed("http://a")), gaps(s.probed("http://b"))
		for _, gap := range append(a, b...) {
			require.GreaterOrEqual(t, gap, 9*time.Second)
			require.LessOrEqual(t, gap, 11*time.Second)
		}
		// The chance that 1800 evenly spread gaps all miss a tenth of the
		// range is one in 10^82.
		require.Less(t, slices.Min(a), 9200*time.Millisecond)
		require.Greater(t, slices.Max(a), 10800*time.Millisecond)
		require.NotEqual(t, a[:100], b[:100], "backends must not be probed in step")
	}, healthy, healthy)
}

func gaps(starts []time.Duration) []time.Duration {
	gaps := make([]time.Duration, len(starts)-1)
	for i := range gaps {
		gaps[i] = starts[i+1] - starts[i]
	}
	return gaps
}

// breaks answers well after d until the backend breaks, and from then on,
// also to probes under way, not at all.
func breaks(at, d time.Duration) script {
	var start time.Time
	return func(ctx context.Context, n int) error {
		if n == 0 {
			start = time.Now()
		}
		if err := takes(d)(ctx, n); err != nil {
			return err
		}
		if time.Since(start) < at {
			return nil
		}
		return hangs(ctx, n)
	}
}

func TestAFaultAtAnyMomentIsNoticedInTime(t *testing.T) {
	const jitter = 0.1
	bound := interval + interval/10 + timeout
	for _, d := range []time.Duration{0, 300 * time.Millisecond, timeout - 1} {
		t.Run(fmt.Sprintf("probes take %v", d), func(t *testing.T) {
			var longest time.Duration
			for fault := d + 1; fault < d+2*interval; fault += 97 * time.Millisecond {
				jittery := settings()
				jittery.Jitter = jitter
				play(t, jittery, func(t *testing.T, s *stage) {
					s.until(fault)
					require.Equal(t, pool.Up, s.pool.Backends()[0].State())
					s.until(fault + bound)
					require.Equal(t, pool.Down, s.pool.Backends()[0].State())
					longest = max(longest, s.last-fault)
				}, breaks(fault, d))
			}
			require.Greater(t, longest, interval-interval/10, "or else this tests little")
		})
	}
}

func TestWithoutJitterAFaultIsNoticedAtTheVeryTick(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval + timeout - 1)
		require.Equal(t, []string{"0s http://a: unknown -> up: probe succeeded"}, s.changed())
		s.until(interval + timeout)
		require.Equal(t, []string{"12s http://a: up -> down: no answer to the probe within 2s"}, s.changed())
	}, breaks(1, 0))
}

func TestATimeoutIsTheReasonWhateverTheProbeCallsIt(t *testing.T) {
	for name, script := range map[string]script{
		"as the context says": hangs,
		"in its own words": func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return errSick
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, settings(), func(t *testing.T, s *stage) {
				s.until(timeout)
				require.Equal(t, []string{"2s http://a: unknown -> down: no answer to the probe within 2s"}, s.changed())
			}, script)
		})
	}
}

func TestAProbeKnowsWhyItIsEnded(t *testing.T) {
	var cause error
	play(t, settings(), func(t *testing.T, s *stage) { s.until(timeout) }, func(ctx context.Context, n int) error {
		<-ctx.Done()
		cause = context.Cause(ctx)
		return cause
	})
	require.EqualError(t, cause, "no answer to the probe within 2s")
}

func TestAFailureBeforeTheTimeoutKeepsItsOwnReason(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(timeout)
		require.Equal(t, []string{"1.999999999s http://a: unknown -> down: " + errSick.Error()}, s.changed())
	}, func(context.Context, int) error {
		time.Sleep(timeout - 1)
		return errSick
	})
}

func TestACancelledProbeIsNoResult(t *testing.T) {
	for name, answer := range map[string]error{"good": nil, "bad": errSick, "cancelled": context.Canceled} {
		for known, first := range map[string]string{"before the first result": "", "later": "+"} {
			t.Run(name+" "+known, func(t *testing.T) {
				play(t, settings(), func(t *testing.T, s *stage) {
					s.until(time.Duration(len(first))*interval + time.Second)
					before := s.pool.Backends()[0].State()
					s.changed()
					s.stop()
					<-s.ended
					require.Empty(t, s.changed())
					require.Equal(t, before, s.pool.Backends()[0].State())
					require.Len(t, s.probed("http://a"), len(first)+1)
				}, func(ctx context.Context, n int) error {
					if n < len(first) {
						return nil
					}
					<-ctx.Done()
					return answer
				})
			})
		}
	}
}

func TestABackendThatIsDownStaysDownWhenItsProbeIsCancelled(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval + time.Second)
		s.changed()
		s.stop()
		<-s.ended
		require.Empty(t, s.changed())
		require.Equal(t, pool.Down, s.pool.Backends()[0].State())
	}, func(ctx context.Context, n int) error {
		if n == 0 {
			return errSick
		}
		<-ctx.Done()
		return nil
	})
}

func TestRiseAndFallCountProbesToTheTick(t *testing.T) {
	slow := settings()
	slow.Rise, slow.Fall = 2, 3
	play(t, slow, func(t *testing.T, s *stage) {
		s.until(20 * interval)
		require.Equal(t, []string{
			"0s http://a: unknown -> up: probe succeeded",
			"1m10s http://a: up -> down: " + errSick.Error(),
			"1m50s http://a: down -> up: probe succeeded",
		}, s.changed())
	}, results("++--+---+-+++--++"))
}

func TestEachChangeIsReportedOnceAndRepetitionsAreNot(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(100 * interval)
		require.Equal(t, []string{
			"0s http://a: unknown -> up: probe succeeded",
			"50s http://a: up -> down: " + errSick.Error(),
		}, s.changed())
	}, results("+++++-"))
}

func TestRunReturnsOnlyAfterTheLastProbe(t *testing.T) {
	for name, first := range map[string]int{"the first": 0, "a later one": 3} {
		t.Run(name, func(t *testing.T) {
			stopped := time.Duration(first)*interval + time.Second
			play(t, settings(), func(t *testing.T, s *stage) {
				s.until(stopped)
				s.stop()
				s.until(stopped + 300*time.Millisecond - 1)
				select {
				case <-s.ended:
					require.Fail(t, "a probe is still under way")
				default:
				}
				<-s.ended
				require.Equal(t, stopped+300*time.Millisecond, s.now())
			}, healthy, hangs, func(ctx context.Context, n int) error {
				if n < first {
					return nil
				}
				<-ctx.Done()
				time.Sleep(300 * time.Millisecond)
				return ctx.Err()
			})
		})
	}
}

func TestRunReturnsAtOnceBetweenProbes(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval / 2)
		s.stop()
		<-s.ended
		require.Equal(t, interval/2, s.now())
	}, healthy, sick)
}

// main waits for Ready, and must not wait for ever if it is told to stop.
func TestReadyIsClosedAlsoWhenRunIsStoppedFirst(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		require.False(t, s.ready())
		s.stop()
		synctest.Wait()
		require.True(t, s.ready())
	}, hangs)
}

func TestNothingRunsBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := set(t, settings(), nil, healthy)
		s.until(interval)
		require.Empty(t, s.probed("http://a"))
		require.False(t, s.ready())
	})
}

func TestEachProbeIsALineAtDebugLevel(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(4 * interval)
		require.Equal(t, []string{
			`time=100ms level=DEBUG msg=probed backend=http://a duration=100ms result=ok`,
			`time=10s level=DEBUG msg=probed backend=http://a duration=0s result="probe: status 503, want 200"`,
			`time=22s level=DEBUG msg=probed backend=http://a duration=2s result="no answer to the probe within 2s"`,
			`time=30s level=DEBUG msg=probed backend=http://a duration=0s result=ok`,
			`time=40s level=DEBUG msg=probed backend=http://a duration=0s result=ok`,
		}, s.logged())
	}, func(ctx context.Context, n int) error {
		switch n {
		case 0:
			return takes(100*time.Millisecond)(ctx, n)
		case 1:
			return errSick
		case 2:
			return hangs(ctx, n)
		}
		return nil
	})
}

// A change is app's to log, once; what is repeated every interval must not
// fill the log of somebody who did not ask for it.
func TestNothingIsLoggedAboveDebugLevel(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(100 * interval)
		s.stop()
		<-s.ended
		lines := s.logged()
		require.Len(t, lines, 202)
		for _, line := range lines {
			require.Contains(t, line, " level="+slog.LevelDebug.String()+" ")
		}
	}, results("+-+--+"), sick)
}

func TestACancelledProbeIsNotLogged(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.stop()
		<-s.ended
		require.Equal(t, []string{""}, s.logged())
	}, hangs)
}

func TestAllBackendsOfThePoolAreProbed(t *testing.T) {
	scripts := slices.Repeat([]script{healthy}, 26)
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * interval)
		for _, b := range s.pool.Backends() {
			require.Equal(t, every(interval, 4), s.probed(b.String()), b)
		}
		require.Equal(t, 26*4, strings.Count(strings.Join(s.logged(), "\n"), "msg=probed"))
	}, scripts...)
}

var _ health.Prober = (*health.HTTP)(nil)
