package stack

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

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
