package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ, 100 on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// Usage is what a process and its children have taken so far.
type Usage struct {
	CPU  time.Duration // user and system
	Peak int64         // bytes resident at most (VmHWM), children added
}

// Usage reads what the process has taken (proc_pid_stat(5)).
func (p *Process) Usage() (Usage, error) { return usage(p.cmd.Process.Pid) }

func usage(pid int) (u Usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	if u.CPU, err = cpuTime(string(stat)); err != nil {
		return u, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	u.Peak = highWaterMark(string(status))
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return u, err
	}
	for _, child := range strings.Fields(string(children)) {
		id, _ := strconv.Atoi(child) // the kernel's own number
		below, err := usage(id)
		if err != nil {
			return u, err
		}
		u.CPU += below.CPU
		u.Peak += below.Peak
	}
	return u, nil
}

// cpuTime adds utime and stime, the 14th and 15th field; the 2nd is a name in
// brackets that may hold blanks.
func cpuTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("no times in %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// highWaterMark is VmHWM in bytes, or 0.
func highWaterMark(status string) int64 {
	_, rest, _ := strings.Cut(status, "VmHWM:")
	figure, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, _ := strconv.ParseInt(figure, 10, 64)
	return kib << 10
}
