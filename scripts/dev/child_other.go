//go:build !linux

package main

import "syscall"

// childAttributes give each child a process group of its own, so that Ctrl-C
// in the terminal reaches us alone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
