package main

import (
	"runtime"
	"syscall"
)

// Linux ties Pdeathsig to the thread that started the child, so the children
// are started from main, and main stays on the one thread that never ends.
func init() { runtime.LockOSThread() }

// childAttributes give each child a process group of its own, so that Ctrl-C
// in the terminal reaches us alone, and have the kernel end it when we are
// killed without a chance to.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
