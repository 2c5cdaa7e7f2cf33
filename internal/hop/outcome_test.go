package hop_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
)

func TestOnlyABackendsFailuresAreItsOwn(t *testing.T) {
	counted := hop.NewCounted(hop.SoftCauses())
	for cause, want := range map[hop.Cause]hop.Result{
		hop.None: hop.Answered, hop.TunnelIdle: hop.Answered,
		hop.ClientGone: hop.Nothing, hop.ClientTimeout: hop.Nothing, hop.BodyTooLarge: hop.Nothing, hop.Shutdown: hop.Nothing,
		hop.TotalTimeout: hop.Nothing, hop.Overloaded: hop.Nothing,
		hop.DialRefused: hop.Failed, hop.DialFailed: hop.Failed, hop.DialTimeout: hop.Failed, hop.TLSFailed: hop.Failed,
		hop.BadResponse: hop.FailedSoftly, hop.TruncatedByBackend: hop.FailedSoftly, hop.ResetBeforeResponse: hop.FailedSoftly,
		hop.ResponseTimeout: hop.FailedSoftly, hop.BackendBodyTimeout: hop.FailedSoftly, hop.AttemptTimeout: hop.FailedSoftly,
	} {
		require.Equal(t, want, counted.Judge(hop.Outcome{Cause: cause}), cause.String())
	}
	require.Equal(t, hop.Nothing, counted.Judge(hop.Outcome{Cause: hop.ResetBeforeResponse, Stale: true}), "a stale connection says nothing")
}

func TestWhatCountsIsASetting(t *testing.T) {
	counted := hop.NewCounted([]string{"response_timeout", "503", "599"})
	for outcome, want := range map[hop.Outcome]hop.Result{
		{Cause: hop.ResponseTimeout}:     hop.FailedSoftly,
		{Cause: hop.ResetBeforeResponse}: hop.Nothing,
		{Cause: hop.DialRefused}:         hop.Failed,
		{Status: 503}:                    hop.FailedSoftly,
		{Status: 599}:                    hop.FailedSoftly,
		{Status: 500}:                    hop.Answered,
		{Status: 600}:                    hop.Answered,
		{Status: 101}:                    hop.Answered,
	} {
		require.Equal(t, want, counted.Judge(outcome), "%+v", outcome)
	}
}

// What fails on one backend after the other is the request; one that nobody
// listens for is not.
func TestARequestThatHasFailedElsewhereIsSuspect(t *testing.T) {
	counted := hop.NewCounted(append(hop.SoftCauses(), "500"))
	for _, soft := range []hop.Outcome{{Cause: hop.ResetBeforeResponse}, {Cause: hop.BadResponse}, {Status: 500}} {
		require.Equal(t, hop.FailedSoftly, counted.Judge(soft))
		soft.Suspect = true
		require.Equal(t, hop.Nothing, counted.Judge(soft))
	}
	require.Equal(t, hop.Failed, counted.Judge(hop.Outcome{Cause: hop.DialRefused, Suspect: true}))
}

func TestReasonOfAFailedAttempt(t *testing.T) {
	require.Equal(t, "status 503", (&hop.Outcome{Status: 503}).Reason(nil))
	require.Equal(t, "bad_response: odd", (&hop.Outcome{Cause: hop.BadResponse}).Reason(errors.New("odd")))
}

// The table of retries: what may be tried on another backend.
func TestOnlyWhatIsSafeIsSentAgain(t *testing.T) {
	nothing, all, heard := hop.Progress{Silent: true, Kept: true}, hop.Progress{Sent: true, Silent: true, Kept: true}, hop.Progress{Sent: true, Kept: true}
	for _, c := range []struct {
		method   string
		cause    hop.Cause
		progress hop.Progress
		again    bool
	}{
		{"GET", hop.DialRefused, nothing, true},
		{"POST", hop.DialRefused, nothing, true},
		{"POST", hop.DialTimeout, nothing, true},
		{"GET", hop.ResetBeforeResponse, all, true},
		{"PUT", hop.ResetBeforeResponse, all, true},
		{"DELETE", hop.ResponseTimeout, all, true},
		{"POST", hop.ResetBeforeResponse, all, false},
		{"PATCH", hop.AttemptTimeout, all, false},
		{"GET", hop.BadResponse, heard, false},
		{"GET", hop.TruncatedByBackend, heard, false},
		{"PUT", hop.ResetBeforeResponse, hop.Progress{Sent: true, Silent: true}, false}, // its body was too long to be kept
		{"POST", hop.DialRefused, hop.Progress{Silent: true}, false},
		{"GET", hop.ClientGone, all, false},
		{"GET", hop.TotalTimeout, all, false},
		{"GET", hop.Shutdown, all, false},
	} {
		require.Equal(t, c.again, hop.MayRetry(c.method, c.cause, c.progress), "%s %v %+v", c.method, c.cause, c.progress)
		require.Equal(t, c.again, hop.MayRetry([]byte(c.method), c.cause, c.progress))
	}
	require.True(t, hop.MayRepeat("GET", all), "a stale connection is nobody's fault")
}

// Whatever is counted, and whatever has happened before: what a client does, or
// the proxy, never counts against a backend.
func TestNoClientSideCauseCounts(t *testing.T) {
	everything := hop.SoftCauses()
	for status := 500; status < 600; status++ {
		everything = append(everything, strconv.Itoa(status))
	}
	for _, counted := range []*hop.Counted{hop.NewCounted(everything), hop.NewCounted(nil)} {
		for cause := hop.None + 1; cause.String() != "internal"; cause++ {
			if cause.Party() == hop.Backend || cause == hop.TunnelIdle {
				continue
			}
			for _, status := range []int{0, 200, 503} {
				for _, flag := range []bool{false, true} {
					o := hop.Outcome{Cause: cause, Status: status, Stale: flag, Suspect: !flag}
					require.Equal(t, hop.Nothing, counted.Judge(o), "%v: %+v", cause, o)
				}
			}
		}
	}
}
