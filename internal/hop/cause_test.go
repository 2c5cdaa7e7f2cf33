package hop

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The contract's table, row by row.
func TestCauseIsAnsweredAndBlamedByTheTable(t *testing.T) {
	contract := map[Cause]struct {
		name   string
		status int
		party  Party
	}{
		NoBackendAlive: {"no_backend_alive", 503, Proxy},
		Overloaded:     {"overloaded", 503, Proxy},

		DialRefused: {"dial_refused", 502, Backend},
		DialFailed:  {"dial_failed", 502, Backend},
		TLSFailed:   {"tls_failed", 502, Backend},

		ResetBeforeResponse: {"reset_before_response", 502, Backend},
		BadResponse:         {"bad_response", 502, Backend},

		ResponseTimeout: {"response_timeout", 504, Backend},
		DialTimeout:     {"dial_timeout", 504, Backend},

		TruncatedByBackend: {"truncated_by_backend", 502, Backend},
		BackendBodyTimeout: {"backend_body_timeout", 504, Backend},

		AttemptTimeout: {"attempt_timeout", 504, Backend},
		TotalTimeout:   {"total_timeout", 504, Proxy},

		ClientGone:         {"client_gone", 499, Client},
		ClientWriteTimeout: {"client_write_timeout", 499, Client},

		ClientTimeout:     {"client_timeout", 408, Client},
		BodyTooLarge:      {"body_too_large", 413, Client},
		TargetTooLong:     {"target_too_long", 414, Client},
		HeaderTooLarge:    {"header_too_large", 431, Client},
		BadRequest:        {"bad_request", 400, Client},
		MethodNotAllowed:  {"method_not_allowed", 405, Client},
		ExpectationFailed: {"expectation_failed", 417, Client},

		TunnelIdle:     {"tunnel_idle", 0, Nobody},
		Shutdown:       {"shutdown", 503, Proxy},
		BackendRemoved: {"backend_removed", 503, Proxy},
		Internal:       {"internal", 500, Proxy},
	}
	for c := None + 1; c < numCauses; c++ {
		require.Contains(t, contract, c, "cause %d (%v) is not in the contract", c, c)
		want := contract[c]
		require.Equal(t, want.name, c.String())
		require.Equal(t, want.status, c.Status(), c)
		require.Equal(t, want.party, c.Party(), c)
	}
}

func TestNoCauseIsNobodysAndHasNoName(t *testing.T) {
	require.Empty(t, None.String())
	require.Zero(t, None.Status())
	require.Equal(t, Nobody, None.Party())
}

// The name ends a line of the access log: so one that was cut off is not
// taken for another.
func TestNameOfACauseDoesNotBeginAnothers(t *testing.T) {
	for a := None + 1; a < numCauses; a++ {
		require.Regexp(t, "^[a-z]+(_[a-z]+)*$", a.String(), "cause %d", a)
		for b := None + 1; b < numCauses; b++ {
			require.False(t, a != b && strings.HasPrefix(b.String(), a.String()), "%v and %v", a, b)
		}
	}
}

func TestFailureIsFoundAndWrapsItsDetail(t *testing.T) {
	err := fmt.Errorf("attempt: %w", &Failure{Cause: BadResponse, Err: io.ErrUnexpectedEOF})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	f, found := errors.AsType[*Failure](err)
	require.True(t, found)
	require.Equal(t, BadResponse, f.Cause)
	require.EqualError(t, f, "bad_response: unexpected EOF")
}

func TestFailureWithoutDetailIsItsCause(t *testing.T) {
	f := &Failure{Cause: Shutdown}
	require.EqualError(t, f, "shutdown")
	require.NoError(t, f.Unwrap())
}
