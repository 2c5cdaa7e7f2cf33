package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"go-proxy/internal/hop"
)

var (
	errTooManyInformational = errors.New("too many 1xx responses")
	errSwitched             = errors.New("switched to a protocol that was not asked for")
	errBadStatus            = errors.New("status below 100")
	errBadName              = errors.New("field name that is none")
	errBadValue             = errors.New("control character in a field value")
)

// fail notes why no response head came.
func (a *attempt) fail(err error) {
	if err == errPassedOver {
		return
	}
	cause := a.classify(err)
	if f, ok := errors.AsType[*hop.Failure](err); ok {
		err = f.Err // the cause is said beside it
	}
	a.note(cause, err)
}

// classify finds whose fault an error is that httputil or http.Transport
// reports instead of a response.
func (a *attempt) classify(err error) hop.Cause {
	if a.request.out.tunnel != nil { // only the head of the 101 was still to be sent
		return clientFailure(err)
	}
	if cause := a.request.clientsFault(); cause != hop.None {
		return cause
	}
	if a.state.Load() == timedOut {
		return hop.AttemptTimeout
	}
	if f, ok := errors.AsType[*hop.Failure](err); ok {
		return f.Cause
	}
	switch {
	case a.conn == nil: // nothing was tried: http.Transport does not like the request
		return hop.BadRequest
	case isTimeout(err):
		return hop.ResponseTimeout
	case isBroken(err) || a.silent():
		return hop.ResetBeforeResponse
	}
	return hop.BadResponse
}

// clientsFault is why the exchange cannot go on whatever the backend does, or
// None. What a client does makes the connection to the backend fail, too, so
// this is asked first.
func (x *request) clientsFault() hop.Cause {
	interrupted := x.interrupted()
	switch {
	case interrupted.Party() == hop.Proxy || x.body == nil:
		return interrupted
	case x.body.failure() != hop.None:
		return x.body.failure()
	case x.body.interrupted.Load():
		return hop.None // by us, and net/http took that for the client's end
	}
	return interrupted
}

// clientFailure is the cause of an error in sending to the client.
func clientFailure(err error) hop.Cause {
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), os.ErrDeadlineExceeded.Error()) {
		return hop.ClientWriteTimeout
	}
	return hop.ClientGone
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isBroken reports whether the error is that of a connection, not of what came
// over it.
func isBroken(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
