package hop

import (
	"errors"
	"os"
	"syscall"
)

// DialCause finds the cause of a failure to connect.
func DialCause(err error) Cause {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded):
		return DialTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return DialRefused
	}
	return DialFailed
}
