//go:build linux && !386

package socket

import (
	"errors"
	"io"
	"io/fs"
	"net"
)

// failed makes of an error of package os what package net would say. That of a
// socket that is closed meanwhile has no name outside the standard library.
func failed(op string, addr net.Addr, closed bool, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if closed {
		err = net.ErrClosed
	} else if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: addr, Err: err}
}
