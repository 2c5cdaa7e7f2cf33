//go:build linux && !386

package socket

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
)

// failed makes of an error of package os what package net would say. That of a
// socket that is closed meanwhile has no name outside the standard library. That
// of a deadline is left bare, which net/http comes across with every request.
func failed(op string, addr net.Addr, closed bool, err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case closed:
		err = net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	if inner, ok := err.(*fs.PathError); ok {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: addr, Err: err}
}
