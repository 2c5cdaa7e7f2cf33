package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// Shipped runs the binaries as they are shipped. Those with the race detector
// need many times the memory.
func Shipped() Option { return func(o *options) { o.shipped = true } }

var highWaterMark = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// PeakMemory is the most memory that the proxy's process has had in use, in
// bytes, of all that is resident (Linux; VmHWM in proc_pid_status(5)).
func (p *Proxy) PeakMemory() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	require.NoError(p.t, err)
	match := highWaterMark.FindSubmatch(status)
	require.NotNil(p.t, match, "no VmHWM in %s", status)
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(p.t, err)
	return kib << 10
}

// pipeSize is what a pipe may hold of a body (internal/http1).
const pipeSize = 256 << 10

// InPipes is the most that the pipes of the proxy's process can hold, in bytes:
// the kernel's memory is no part of the process's (Linux; proc_pid_fd(5)).
func (p *Proxy) InPipes() int64 {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.PID())
	open, err := os.ReadDir(dir)
	require.NoError(p.t, err)
	pipes := make(map[string]bool) // both ends have one name
	for _, fd := range open {
		if name, _ := os.Readlink(filepath.Join(dir, fd.Name())); strings.HasPrefix(name, "pipe:") {
			pipes[name] = true
		}
	}
	return int64(len(pipes)) * pipeSize
}
