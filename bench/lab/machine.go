package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// BusyTime is how long all cores together have worked, interrupts and the
// hypervisor's theft included: a kernel that counts ticks charges whoever runs
// with the interrupts that it is interrupted by, and over the loopback most of
// them are packets of its own. One that measures interrupts
// (CONFIG_IRQ_TIME_ACCOUNTING) charges nobody, and then they look like others'.
func BusyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return busyTime(string(text))
}

// busyTime adds all fields but idle, iowait, and the guests' time, which is within
// user and nice (proc_stat(5)).
func busyTime(stat string) (busy time.Duration, err error) {
	fields := strings.Fields(stat)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("no times in %.80q", stat)
	}
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		busy += time.Duration(n) * tick
	}
	return busy, nil
}

// OwnTime is the CPU time of this program and of the children it has waited
// for.
func OwnTime() (total time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return total
}

// Machine describes what the figures were measured on.
func Machine() string {
	return fmt.Sprintf("%s, %d cores, %s, %s", field("/proc/cpuinfo", "model name"), cores(),
		memory(), strings.TrimSpace(said("uname", "-sr")))
}

// Network describes what the packets passed; scripts/bench-lab chooses it.
func Network() string {
	control, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		control = []byte("?")
	}
	whose := "the machine's loopback and its firewall, if it has one"
	if os.Getenv("BENCH_NETWORK") == "own" {
		whose = "a loopback of the bench's own, without a firewall"
	}
	return fmt.Sprintf("%s; TCP's congestion control is %s", whose, bytes.TrimSpace(control))
}

// cores counts those of the machine: this program may not run on all.
func cores() int {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return cmp.Or(strings.Count("\n"+string(text), "\nprocessor\t"), runtime.NumCPU())
}

func memory() string {
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return fmt.Sprintf("%d GiB", n>>20)
}

// field is the value behind the first "name:" in a file, or "?".
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "?"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// Commit is what is checked out, with a mark if that was changed, but for the
// page that is being written.
var Commit = sync.OnceValue(func() string {
	commit := strings.TrimSpace(said("git", "describe", "--always", "--exclude=*"))
	if said("git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)bench/RESULTS.md") != "" {
		commit += "-dirty"
	}
	return commit
})

// Version is the first line that a program says of itself.
func Version(program string, args ...string) string {
	line, _, _ := strings.Cut(said(program, args...), "\n")
	return line
}

// said is all that a program prints, or "?".
func said(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil && len(out) == 0 {
		return "?"
	}
	return string(out)
}
