package main

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
)

// child is a running program.
type child struct {
	name string
	cmd  *exec.Cmd
	out  *lineWriter
	done chan struct{} // closed once it has been waited for
}

// startChild starts p, which writes to out. When it ends, end is told.
func startChild(p program, out *lineWriter, end context.CancelCauseFunc) (*child, error) {
	cmd := exec.Command(p.path)
	cmd.Env = p.environ()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{name: p.name, cmd: cmd, out: out, done: make(chan struct{})}
	go c.wait(end)
	return c, nil
}

func (c *child) wait(end context.CancelCauseFunc) {
	_ = c.cmd.Wait() // ProcessState says the same, also of a success
	c.out.flush()
	end(fmt.Errorf("%s ended by itself: %v", c.name, c.cmd.ProcessState))
	close(c.done)
}

func (c *child) terminate() {
	// The error can only be that it has ended already.
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
}

// awaitEnd waits for the child to end, and kills it when ctx ends first.
func (c *child) awaitEnd(ctx context.Context) bool {
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
		_ = c.cmd.Process.Kill()
		<-c.done
		return false
	}
}
