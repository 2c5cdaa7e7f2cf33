package stack

import "syscall"

// dieWithParent ends a program when the test's process does, however that
// ends.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
