//go:build !linux

package http1

import "syscall"

// peerGone is not known here: a client that leaves is noticed when it is
// written to.
func peerGone(syscall.RawConn, bool) bool { return false }
