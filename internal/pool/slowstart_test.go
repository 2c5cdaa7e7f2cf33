package pool_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

const slowStart = 30 * time.Second

// starting makes a pool that starts backends slowly.
func starting(t *testing.T, policy string, names ...string) (*pool.ServerPool, []*pool.Backend, pool.Settings) {
	t.Helper()
	p, b := balanced(t, policy, names...)
	s := defaults
	s.Policy, s.SlowStart = policy, slowStart
	p.Update(members(t, names...), s)
	return p, b, s
}

// recover takes the backend out and back.
func recovered(p *pool.ServerPool, b *pool.Backend) {
	p.ObserveProbe(b, errProbe)
	p.ObserveProbe(b, nil)
}

func TestARecoveredBackendBeginsWithATenthAndRisesEvenly(t *testing.T) {
	p, b, _ := starting(t, "weighted_round_robin", "a", "b")
	recovered(p, b[1])
	var now time.Time
	const round = 1000
	part := func() float64 { // of b's share, were it warm
		n := share(t, p, 40*round)["http://b"]
		return float64(n) / float64(40*round-n)
	}
	require.InDelta(t, 0.1, part(), 0.001, "before the clock has been asked")
	now = now.Add(time.Hour)
	start := now
	for {
		next := p.Advance(now)
		passed := float64(now.Sub(start)) / float64(slowStart)
		line := 0.1 + 0.9*passed
		require.LessOrEqual(t, part(), min(line, 1)+0.001, "after %v", now.Sub(start))
		require.Greater(t, part(), min(line, 1)-0.051, "after %v", now.Sub(start))
		if next == 0 {
			break
		}
		now = now.Add(next)
	}
	require.InDelta(t, slowStart, now.Sub(start), float64(time.Microsecond))
	require.Equal(t, map[string]int{"http://a": 50, "http://b": 50}, share(t, p, 100))
	require.Zero(t, p.Advance(now.Add(time.Hour)))
}

func TestSlowStartIsForEveryPolicyThatWeighs(t *testing.T) {
	const n = 40_000
	for _, policy := range pool.Policies() {
		t.Run(policy, func(t *testing.T) {
			p, b, _ := starting(t, policy, "a", "b=3")
			recovered(p, b[1])
			if policy == "round_robin" {
				require.Equal(t, n/2, share(t, p, n)["http://b"])
				return
			}
			require.InDelta(t, n*0.3/1.3, share(t, p, n)["http://b"], within(n, 0.3/1.3))
			now := time.Now()
			p.Advance(now)
			p.Advance(now.Add(slowStart / 2))
			require.InDelta(t, n*1.65/2.65, share(t, p, n)["http://b"], within(n, 1.65/2.65))
		})
	}
}

func TestWhoStartsTogetherSharesEvenly(t *testing.T) {
	s := defaults
	s.Policy, s.SlowStart = "weighted_round_robin", slowStart
	p, _ := settled(t, s, nil, "a", "b", "c")
	require.Equal(t, map[string]int{"http://a": 10, "http://b": 10, "http://c": 10}, share(t, p, 30))
	require.Zero(t, p.Advance(time.Now()))
}

func TestOneThatIsAddedStartsSlowly(t *testing.T) {
	p, _, s := starting(t, "weighted_round_robin", "a")
	added := p.Update(members(t, "a", "b"), s).Added[0]
	p.ObserveProbe(added, nil)
	require.Equal(t, map[string]int{"http://a": 100, "http://b": 10}, share(t, p, 110))
}

func TestSlowStartBeginsAnewWithEachRecovery(t *testing.T) {
	p, b, _ := starting(t, "weighted_round_robin", "a", "b")
	recovered(p, b[1])
	now := time.Now()
	require.NotZero(t, p.Advance(now))
	now = now.Add(slowStart - 1)
	require.NotZero(t, p.Advance(now))
	p.ObserveProbe(b[1], errProbe)
	require.Zero(t, p.Advance(now), "one that is down needs no clock")
	p.ObserveProbe(b[1], nil)
	require.Equal(t, map[string]int{"http://a": 100, "http://b": 10}, share(t, p, 110))
	p.Advance(now)
	require.Equal(t, map[string]int{"http://a": 100, "http://b": 10}, share(t, p, 110), "the time before does not count")
	p.Advance(now.Add(-time.Minute)) // a clock that was set back
	require.Equal(t, map[string]int{"http://a": 100, "http://b": 10}, share(t, p, 110))
	require.Zero(t, p.Advance(now.Add(slowStart)))
	require.Equal(t, map[string]int{"http://a": 55, "http://b": 55}, share(t, p, 110))
}

func TestAnUpdateEndsSlowStart(t *testing.T) {
	p, b, s := starting(t, "weighted_round_robin", "a", "b")
	recovered(p, b[1])
	require.NotZero(t, p.Advance(time.Now()))
	s.SlowStart = 0
	p.Update(members(t, "a", "b"), s)
	require.Zero(t, p.Advance(time.Now()))
	require.Equal(t, map[string]int{"http://a": 55, "http://b": 55}, share(t, p, 110))
}

func TestAnyLengthOfSlowStartEnds(t *testing.T) {
	for _, length := range []time.Duration{1, 7, time.Millisecond, math.MaxInt64} {
		p, b, s := starting(t, "weighted_round_robin", "a", "b")
		s.SlowStart = length
		p.Update(members(t, "a", "b"), s)
		recovered(p, b[1])
		now := time.Now()
		next := p.Advance(now)
		require.Positive(t, next)
		for range 18 {
			next = p.Advance(now)
			if length < math.MaxInt64 {
				now = now.Add(next)
			}
		}
		if length < math.MaxInt64 {
			require.Zero(t, p.Advance(now))
		}
	}
}
