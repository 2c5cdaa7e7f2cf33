package health_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

func ejecting() config.Health {
	s := settings()
	s.Ejection, s.EjectionMost = 3*time.Second, 10*time.Second
	return s
}

// adopt puts other settings in force.
func (s *stage) adopt(other config.Health) {
	var backends []config.Backend
	for _, b := range s.pool.Backends() {
		backends = append(backends, config.Backend{URL: b.URL})
	}
	s.pool.Update(backends, judging(other))
	s.checker.Update(other)
	synctest.Wait()
}

func TestAnEjectionDoublesUpToTheMost(t *testing.T) {
	play(t, ejecting(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.changed()
		at := time.Second
		for _, ejection := range []time.Duration{3 * time.Second, 6 * time.Second, 10 * time.Second, 10 * time.Second} {
			s.fail()
			require.Equal(t, []string{at.String() + " " + failed}, s.changed())
			at += ejection
			s.until(at)
			require.Equal(t, []string{at.String() + " " + passed}, s.changed())
		}
		require.Equal(t, []time.Duration{0, 4 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}, s.probed("http://a"),
			"nobody asks before it is over")
	}, healthy)
}

func TestOneThatWasWellForAsLongBeginsAnew(t *testing.T) {
	play(t, ejecting(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.fail()
		s.until(4 * time.Second)
		s.fail()                  // for 6 seconds
		s.until(16 * time.Second) // well for as long
		s.changed()
		s.fail()
		s.until(19*time.Second - 1)
		require.Equal(t, []string{"16s " + failed}, s.changed())
		s.until(19 * time.Second)
		require.Equal(t, []string{"19s " + passed}, s.changed())
	}, healthy)
}

func TestOneThatIsSickBehindItsEjectionIsProbedOnAsEver(t *testing.T) {
	play(t, ejecting(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.changed()
		s.fail()
		s.until(24 * time.Second)
		require.Equal(t, []string{"1s " + failed, "24s " + passed}, s.changed())
		require.Equal(t, []time.Duration{0, 4 * time.Second, 14 * time.Second, 24 * time.Second}, s.probed("http://a"))
	}, results("+--+"))
}

// A probe that was under way when requests took the backend down says nothing of
// what they met.
func TestAProbeUnderWayEndsNoEjection(t *testing.T) {
	play(t, ejecting(), func(t *testing.T, s *stage) {
		s.until(10*time.Second + 500*time.Millisecond) // the second probe is under way
		s.changed()
		s.fail()
		s.until(13 * time.Second)
		require.Equal(t, []string{"10.5s " + failed}, s.changed())
	}, takes(time.Second))
}

func TestSettingsThatChangeEndNoEjection(t *testing.T) {
	play(t, ejecting(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.changed()
		s.fail()
		s.until(2 * time.Second)
		other := ejecting()
		other.Path = "/ready"
		s.adopt(other)
		s.until(4*time.Second - 1)
		require.Equal(t, []string{"1s " + failed}, s.changed())
		s.until(4 * time.Second)
		require.Equal(t, []string{"4s " + passed}, s.changed())
		s.fail()
		s.adopt(settings())
		require.Equal(t, []string{"4s " + failed, "4s " + passed}, s.changed(), "but that there are none any more does")
	}, healthy)
}

// The pool may have the settings a moment before the watcher: what it ejects then
// is not out for good.
func TestWhatIsEjectedBeforeTheWatcherKnowsComesBack(t *testing.T) {
	play(t, settings(), func(t *testing.T, s *stage) {
		s.until(time.Second)
		s.changed()
		var backends []config.Backend
		for _, b := range s.pool.Backends() {
			backends = append(backends, config.Backend{URL: b.URL})
		}
		s.pool.Update(backends, judging(ejecting()))
		s.fail()
		s.checker.Update(ejecting())
		s.until(30 * time.Second)
		require.Equal(t, []string{"1s " + failed, "1s " + passed}, s.changed())
	}, healthy)
}
