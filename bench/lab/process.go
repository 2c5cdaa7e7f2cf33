package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// Program is what to run and where.
type Program struct {
	Name string
	Path string
	Args []string
	Env  []string // on top of our own
	Core int      // the only one it may run on
	Out  *os.File // nil: nowhere
	Err  *os.File // nil: our own
	Addr string   // where it will listen
}

// Process is a program that runs. Its owner stops it.
type Process struct {
	Program
	cmd  *exec.Cmd
	done chan struct{} // closed once it has been waited for
}

// Start starts the program and returns when it accepts connections.
func Start(ctx context.Context, p Program) (*Process, error) {
	cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(p.Core), p.Path}, p.Args...)...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stderr = os.Stderr
	if p.Out != nil {
		cmd.Stdout = p.Out
	}
	if p.Err != nil {
		cmd.Stderr = p.Err
	}
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	process := &Process{p, cmd, make(chan struct{})}
	go process.wait()
	if err := process.awaitListening(ctx); err != nil {
		process.Stop()
		return nil, err
	}
	return process, nil
}

func (p *Process) wait() {
	_ = p.cmd.Wait() // how it ended is in ProcessState
	close(p.done)
}

func (p *Process) awaitListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := net.DialTimeout("tcp", p.Addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended by itself: %v; it said: %s", p.Name, p.cmd.ProcessState, p.said())
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s: %w", p.Name, p.Addr, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// said is what the process has written to a file of its own.
func (p *Process) said() string {
	if p.Out == nil {
		return ""
	}
	text, _ := os.ReadFile(p.Out.Name()) // it only adds to an error
	return string(text)
}

// Stop ends the process in order, or kills it when that takes too long.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// Stay has this program run on the core alone, from its start: unless it does,
// it is started anew. What it does itself then takes nothing from what has the
// other core.
func Stay(core int) error {
	here := strconv.Itoa(core)
	if field("/proc/self/status", "Cpus_allowed_list") == here {
		return nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return err
	}
	return syscall.Exec(taskset, append([]string{"taskset", "-c", here}, os.Args...), os.Environ())
}

// FreeAddr is a loopback address that nobody listens on.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
