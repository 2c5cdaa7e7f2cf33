package stack

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// binaryHost runs the two programs as processes of this host.
type binaryHost struct {
	t       testing.TB
	shipped bool // without the race detector
}

func (h *binaryHost) backend(name string, _ int) instance {
	return newProcess(h, "backend_server", map[string]string{"BACKEND_LISTEN_ADDR": "127.0.0.1:0", "BACKEND_FAULTS": "on"})
}

func (h *binaryHost) proxy(env map[string]string) instance {
	if _, set := env["PROXY_LISTEN_ADDR"]; !set {
		env["PROXY_LISTEN_ADDR"] = "127.0.0.1:0"
	}
	return newProcess(h, "reverse_proxy", env)
}

func (h *binaryHost) file(text string) (seen, here string) {
	path := filepath.Join(Files{proxyJSON: text}.folder(h.t), proxyJSON)
	return path, path
}

func (h *binaryHost) dir() string {
	if !h.shipped {
		return binDir(h.t)
	}
	dir, err := Static()
	require.NoError(h.t, err)
	return dir
}

// raceOptions make a race end the program, and so the test. By itself a program
// built with the race detector also sleeps for a second before it exits.
const raceOptions = "GORACE=halt_on_error=1 atexit_sleep_ms=0"

// process is a program of this host.
type process struct {
	unable
	outputs
	t       testing.TB
	dir     string
	program string
	env     map[string]string
	at      string
	cmd     *exec.Cmd
	ended   chan struct{}
}

func newProcess(h *binaryHost, program string, env map[string]string) *process {
	t := h.t
	p := &process{unable: unable{t}, t: t, dir: h.dir(), program: program, env: env}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.signal(syscall.SIGKILL)
			p.wait()
		}
	})
	return p
}

func (p *process) start() {
	p.cmd = exec.Command(filepath.Join(p.dir, p.program))
	p.cmd.Env = []string{raceOptions}
	for name, value := range p.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.SysProcAttr = dieWithParent()
	require.NoError(p.t, p.cmd.Start())
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
}

// addr is the one that the program says it has bound. A backend that is
// started again binds that one.
func (p *process) addr() string {
	if p.at == "" && p.program == "reverse_proxy" {
		return p.err.Await(p.t, ready)
	}
	if p.at == "" {
		p.at = net.JoinHostPort("127.0.0.1", p.out.Await(p.t, `reporting as (\d+)`))
		p.env["BACKEND_LISTEN_ADDR"] = p.at
	}
	return p.at
}

func (p *process) peerAddr() string { return p.addr() }

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }
func (p *process) pause()                  { p.signal(syscall.SIGSTOP) }
func (p *process) resume()                 { p.signal(syscall.SIGCONT) }
func (p *process) pid() int                { return p.cmd.Process.Pid }

func (p *process) wait() int {
	awaitEnd(p.t, p.ended, p.program)
	return p.cmd.ProcessState.ExitCode()
}

// binDir builds the programs once: with the race detector if it works here,
// without where E2E_RACE=off.
func binDir(t testing.TB) string {
	dir, err := built()
	require.NoError(t, err)
	return dir
}

var built = sync.OnceValues(func() (string, error) {
	if os.Getenv("E2E_RACE") != "off" {
		// Without the profile, they are made of the same packages as the suite.
		if dir, err := build("race", "-race", "-pgo=off"); err == nil {
			return dir, nil
		}
	}
	return build("plain")
})

// Static builds the programs as they are shipped, once.
var Static = sync.OnceValues(func() (string, error) { return build("static") })

// build leaves the programs where the next run finds them, so that Go's cache
// can tell that nothing is to be done.
func build(kind string, flags ...string) (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin", "e2e", kind)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", dir+"/", "./cmd/...")...)
	cmd.Dir = root
	cmd.Env = os.Environ()
	if kind == "static" {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{string(out), err}
	}
	return dir, nil
}

type buildError struct {
	output string
	err    error
}

func (e *buildError) Error() string { return "go build: " + e.err.Error() + "\n" + e.output }
