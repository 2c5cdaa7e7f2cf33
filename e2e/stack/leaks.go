package stack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// grace is how long what has been told to end may take to be gone.
const grace = 10 * time.Second

// checkGoroutines fails the test if, after all of its other cleanups, there
// are goroutines that were not there before. Tests of this suite do not run in
// parallel: they would see each other's.
func checkGoroutines(t testing.TB) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var err error
		for deadline := time.Now().Add(grace); time.Now().Before(deadline); {
			if err = goleak.Find(before); err == nil {
				return
			}
		}
		t.Errorf("goroutines outlive their stack: %v", err)
	})
}

// Leaks names what the run has left behind: child processes, containers and
// networks. It is for the end of the run.
func Leaks() []string {
	var left []string
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left = children()
		if enabled()[Containers] {
			made, err := Made(os.Getpid())
			if err != nil {
				return append(left, err.Error())
			}
			left = append(left, made...)
		}
		if len(left) == 0 {
			return nil
		}
	}
	return left
}

// Where proc_pid_stat(5) has a process's parent and group, counted from the
// state.
const (
	parentField = 1
	groupField  = 2
)

// children are the processes whose parent is this one.
func children() []string { return processes(parentField, os.Getpid()) }

// Group is the processes of a process group.
func Group(id int) []string { return processes(groupField, id) }

// processes are those whose field holds the id (Linux).
func processes(field, id int) []string {
	var found []string
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		// "42 (name) S 1 ...", and the name may hold anything.
		end := bytes.LastIndexByte(stat, ')')
		if fields := bytes.Fields(stat[end+1:]); string(fields[field]) == strconv.Itoa(id) {
			found = append(found, fmt.Sprintf("process %s) in state %s", stat[:end], fields[0]))
		}
	}
	return found
}

// Memory is what the proxy's process has in memory now, in bytes (Linux;
// VmRSS in proc_pid_status(5)).
func (p *Proxy) Memory() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	require.NoError(p.t, err)
	words := strings.Fields(string(status))
	at := slices.Index(words, "VmRSS:")
	require.Positive(p.t, at, "no VmRSS in %s", status)
	kib, err := strconv.ParseInt(words[at+1], 10, 64)
	require.NoError(p.t, err)
	return kib << 10
}

// Descriptors is how many files and connections the proxy's process has open
// (Linux; proc_pid_fd(5)).
func (p *Proxy) Descriptors() int {
	p.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	require.NoError(p.t, err)
	return len(open)
}
