package health_test

import (
	"context"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// update makes the backends what is wanted, with their scripts, and has the
// Checker follow.
func (s *stage) update(settings config.Health, wanted map[string]script) pool.Diff {
	var backends []config.Backend
	s.mu.Lock()
	for name, script := range wanted {
		u := &url.URL{Scheme: "http", Host: name}
		backends = append(backends, config.Backend{URL: u})
		s.scripts[u.String()] = script
	}
	s.mu.Unlock()
	d := s.pool.Update(backends, judging(settings))
	s.checker.Update(settings)
	return d
}

func TestABackendThatComesIsProbedAtOnceAndThenLikeTheOthers(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(3 * time.Second)
		s.changed()
		s.update(settings(), map[string]script{"a": healthy, "b": healthy})
		s.until(23 * time.Second)
		require.Equal(t, []string{"3s http://b: unknown -> up: probe succeeded"}, s.changed())
		require.Equal(t, []time.Duration{3 * time.Second, 13 * time.Second, 23 * time.Second}, s.probed("http://b"))
		require.Equal(t, every(interval, 3), s.probed("http://a"), "the others are not disturbed")
	}, healthy)
}

func TestABackendThatGoesIsProbedNoMore(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(interval)
		gone := s.update(settings(), map[string]script{"b": healthy}).Removed[0]
		require.EqualValues(t, 1, s.open.Load(), "its prober is closed by then")
		s.checker.Nudge(gone)
		s.until(10 * interval)
		require.Equal(t, every(interval, 2), s.probed("http://a"))
		require.Equal(t, every(interval, 11), s.probed("http://b"))
	}, healthy, healthy)
}

func TestAProbeUnderWayEndsWithTheRemovalAndIsAwaited(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second) // of the two that the first probe takes
		s.changed()
		s.update(settings(), map[string]script{"b": healthy})
		require.Equal(t, 1500*time.Millisecond, s.now(), "it takes half a second to end")
		s.until(interval)
		require.Empty(t, s.changed(), "and is no result")
	}, func(ctx context.Context, _ int) error {
		<-ctx.Done()
		time.Sleep(time.Second / 2)
		return nil
	}, healthy)
}

func TestReadyDoesNotWaitForABackendThatIsGone(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		require.False(t, s.ready())
		s.update(settings(), map[string]script{"b": healthy})
		synctest.Wait()
		require.True(t, s.ready())
	}, hangs, healthy)
}

// What is known of a backend stays; the next probe is by the new settings, and
// at once: the old timer may have hours to go.
func TestOtherSettingsAreInForceAtOnce(t *testing.T) {
	hourly := settings()
	hourly.Interval = time.Hour
	play(t, hourly, func(t *testing.T, s *stage) {
		s.until(time.Minute)
		s.changed()
		other := settings()
		other.Path = "/other"
		other.Timeout = 3 * time.Second
		s.update(other, map[string]script{"a": takes(2500 * time.Millisecond)})
		s.until(time.Minute + 2*interval)
		require.Equal(t, []time.Duration{0, time.Minute, time.Minute + interval, time.Minute + 2*interval}, s.probed("http://a"))
		require.Equal(t, []string{"/health", "/other", "/other", "/other"}, s.paths)
		require.Empty(t, s.changed(), "the new timeout lets it answer")
	}, healthy)
}

func TestTheSameSettingsDisturbNobody(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		for at := time.Second; at < 10*interval; at += time.Second {
			s.until(at)
			s.update(settings(), map[string]script{"a": healthy})
		}
		s.until(10 * interval)
		require.Equal(t, every(interval, 11), s.probed("http://a"))
	}, healthy)
}

// Settings that change faster than a probe ends add up to the last of them.
func TestManyChangesOfSettingsAreOne(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second / 2)
		last := settings()
		for range 100 {
			last.Timeout -= time.Millisecond
			last.Path += "x"
			s.update(last, map[string]script{"a": takes(time.Second)})
		}
		s.until(interval)
		require.Equal(t, []string{"/health", last.Path}, s.paths)
	}, takes(time.Second))
}

func TestAnUpdateWithoutRunIsForWhenItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := set(t, settings(), nil, healthy)
		s.update(settings(), map[string]script{"b": healthy})
		require.Zero(t, s.now())
		s.run()
		s.until(interval)
		require.Empty(t, s.probed("http://a"))
		require.Equal(t, every(interval, 2), s.probed("http://b"))
		s.stop()
		<-s.ended
		s.update(settings(), map[string]script{"c": healthy})
		s.until(2 * interval)
		require.Empty(t, s.probed("http://c"), "nothing runs behind the end")
	})
}

func TestProbedWaitsForFirstProbes(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.checker.Probed(t.Context())
		require.Equal(t, time.Second, s.now(), "all have been")
		s.update(settings(), map[string]script{"a": healthy, "b": takes(time.Second), "c": hangs})
		s.checker.Probed(t.Context())
		require.Equal(t, 3*time.Second, s.now())
		s.update(settings(), map[string]script{"a": healthy, "d": hangs})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.checker.Probed(ctx)
		require.Equal(t, 4*time.Second, s.now())
	}, healthy)
}

// Everything at once, and nothing is left when Run returns.
func TestUpdatesAndTheEndAtTheSameTime(t *testing.T) {
	for range 50 {
		play(t, settings(), func(t *testing.T, s *stage) {
			s.until(time.Second)
			go s.stop()
			for _, wanted := range []map[string]script{{"b": healthy}, {"a": healthy, "c": sick}, {}} {
				s.update(settings(), wanted)
			}
		}, healthy, healthy)
	}
}
