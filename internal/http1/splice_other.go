//go:build !linux

package http1

import "errors"

// There are no such pipes here.
func newPipe() *pipe { return nil }

func (p *pipe) close()                         {}
func (p *pipe) fill(uintptr, int) (int, error) { return 0, nil }
func (p *pipe) empty(uintptr) (int, error)     { return 0, errors.ErrUnsupported }
