package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// backendFault is something that happens to a backend as a whole.
type backendFault struct {
	name         string
	modes        []stack.Mode
	strike, heal func(*stack.Backend) // heal is nil if it heals by itself
	causes       []string             // that the requests which it fails may have
}

var backendFaults = []backendFault{
	{"killed", stack.Processes, (*stack.Backend).Kill, (*stack.Backend).Start,
		[]string{"reset_before_response", "dial_refused", "dial_failed", "dial_timeout"}},
	{"restarted", stack.Processes, (*stack.Backend).Restart, nil,
		[]string{"reset_before_response", "dial_refused", "dial_failed", "dial_timeout"}},
	{"paused", stack.Processes, (*stack.Backend).Pause, (*stack.Backend).Resume,
		[]string{"response_timeout"}},
	{"disconnected", []stack.Mode{stack.Containers}, (*stack.Backend).Disconnect, (*stack.Backend).Reconnect,
		[]string{"response_timeout", "dial_failed", "dial_timeout"}},
}

// The times are long enough for a healthy backend on a busy machine.
const (
	loadRate      = 250                    // a second; the promise is about 200
	probeInterval = 800 * time.Millisecond // and the time for one probe
	headTimeout   = 2 * time.Second
	dialTimeout   = 2 * time.Second
)

// A backend that is killed, restarted, paused or cut off costs the requests
// that it has, and those sent to it before the first of them failed or the
// proxy knew. Nobody else notices.
func TestFaultOfABackendFailsOnlyTheRequestsItHad(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode,
			stack.With("HEALTH_CHECK_INTERVAL", probeInterval.String()),
			stack.With("RESPONSE_HEAD_TIMEOUT", headTimeout.String()),
			stack.With("DIAL_TIMEOUT", dialTimeout.String()))
		for i, f := range backendFaults {
			if slices.Contains(f.modes, mode) {
				strikeUnderLoad(t, s, f, s.Backends[i%len(s.Backends)])
			}
		}
	})
}

// strikeUnderLoad lets the fault happen to the victim while requests come that
// take a moment each, so that some are always in flight.
func strikeUnderLoad(t *testing.T, s *stack.Stack, f backendFault, victim *stack.Backend) {
	load := s.Load(loadRate, "delay=20ms")
	load.Await(50, time.Now(), stack.Shot.Good)
	downs := s.Changes(victim, "down")
	struck := time.Now()
	f.strike(victim)
	known := time.Now().Add(stack.Patience)
	if f.heal != nil {
		s.AwaitDown(victim)
		known = time.Now()
		load.Settle(known)
		load.Await(50, known, stack.Shot.Good)
		require.Equal(t, downs+1, s.Changes(victim, "down"), f.name)
		f.heal(victim)
	}
	load.Await(20, time.Now(), func(shot stack.Shot) bool { return shot.From == victim.ID() && shot.Good() })
	shots := load.Stop()

	requireRate(t, shots)
	failures := onlyFailures(t, shots)
	if f.heal != nil {
		require.NotEmpty(t, failures, "%s: some requests are always in flight", f.name)
	}
	requireFailuresOf(t, s, f, victim, failures, struck, known)
	s.AwaitUp(s.Backends...)
	require.Equal(t, stack.Shares(10, s.Backends...), s.Spread(30), f.name)
	t.Logf("%s: %d of %d requests failed", f.name, len(failures), len(shots))
}

// requireFailuresOf shows that only the victim failed, and only requests that
// were under way, or sent before the first of them failed or the proxy had
// known.
func requireFailuresOf(t *testing.T, s *stack.Stack, f backendFault, victim *stack.Backend, failures []stack.Shot, struck, known time.Time) {
	for _, shot := range failures {
		if shot.Ended.Before(known) {
			known = shot.Ended
		}
	}
	for _, shot := range failures {
		require.True(t, shot.Ended.After(struck), "%s: %+v before it was", f.name, shot)
		require.False(t, shot.Sent.After(known), "%s: %+v when that was known since %v", f.name, shot, known)
		record := s.Proxy.AwaitRecord(shot.Path)
		require.Equal(t, victim.URL(), record["backend"], "%s: %v: the others are healthy", f.name, record)
		require.Contains(t, f.causes, record["cause"], "%s: %v", f.name, record)
	}
}

func failed(shot stack.Shot) bool { return !shot.Good() }

// onlyFailures are the requests that failed, each of which was answered in
// time.
func onlyFailures(t *testing.T, shots []stack.Shot) []stack.Shot {
	const machine = 5 * time.Second // a busy one
	var failures []stack.Shot
	for _, shot := range shots {
		require.NoError(t, shot.Err, "every request is answered")
		require.Less(t, shot.Ended.Sub(shot.Sent), headTimeout+dialTimeout+machine, "%+v", shot)
		if failed(shot) {
			failures = append(failures, shot)
		}
	}
	return failures
}

func requireRate(t *testing.T, shots []stack.Shot) {
	took := shots[len(shots)-1].Sent.Sub(shots[0].Sent)
	require.GreaterOrEqual(t, float64(len(shots))/took.Seconds(), 200.0, "requests a second")
}
