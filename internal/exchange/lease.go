package exchange

import (
	"log/slog"

	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// NoLease is the cause that a request gets no lease for, or None.
func NoLease(err error) hop.Cause {
	switch err {
	case nil:
		return hop.None
	case pool.ErrNoneAlive:
		return hop.NoBackendAlive
	}
	return hop.Overloaded
}

// Settle gives a lease back with what an attempt has shown about its backend.
// It reports whether the request is suspect from now on (see hop.Outcome). err
// says more than the outcome.
func (s *Settings) Settle(l *pool.Lease, o hop.Outcome, err error, log *slog.Logger) (suspect bool) {
	result := s.Counted.Judge(o)
	switch result {
	case hop.Answered:
		l.Succeeded()
		return o.Suspect
	case hop.Nothing:
		l.Abandoned()
		return o.Suspect
	}
	reason := o.Reason(err)
	log.Debug("attempt failed", "backend", l.Backend, "reason", reason)
	if result == hop.Failed {
		l.Failed(reason)
		return o.Suspect
	}
	l.FailedSoftly(reason)
	return true
}
