// Package stack runs a reverse proxy and its backends for the tests in e2e:
// in this process, as the two real binaries, or in containers. A test says
// what it wants to see; how that is started, reached and ended is said here.
package stack

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Mode is a way of running the programs.
type Mode string

// The modes, from the quickest to the most real.
const (
	InProcess  Mode = "inprocess"
	Binaries   Mode = "binaries"
	Containers Mode = "containers"
)

// Every mode there is; Loopback are those whose backends a test can play
// itself, since they dial this host.
var (
	Every     = []Mode{InProcess, Binaries, Containers}
	Loopback  = []Mode{InProcess, Binaries}
	Processes = []Mode{Binaries, Containers}
)

// enabled is what E2E_MODES asks for, comma separated; in process if nothing.
var enabled = sync.OnceValue(func() map[Mode]bool {
	asked := os.Getenv("E2E_MODES")
	if asked == "" {
		asked = string(InProcess)
	}
	modes := make(map[Mode]bool)
	for name := range strings.SplitSeq(asked, ",") {
		modes[Mode(name)] = true
	}
	return modes
})

// skipped counts subtests of modes that are not enabled.
var skipped struct {
	sync.Mutex
	counts map[Mode]int
}

// Run repeats a behaviour in each of the modes. A mode that is not enabled is
// skipped; Summary tells of it.
func Run(t *testing.T, modes []Mode, behaviour func(t *testing.T, mode Mode)) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			if !enabled()[mode] {
				skipped.Lock()
				defer skipped.Unlock()
				if skipped.counts == nil {
					skipped.counts = make(map[Mode]int)
				}
				skipped.counts[mode]++
				t.Skipf("mode %s is not in E2E_MODES", mode)
			}
			if mode == InProcess {
				checkGoroutines(t)
			}
			behaviour(t, mode)
		})
	}
}

// Summary says what was left out, or "".
func Summary() string {
	skipped.Lock()
	defer skipped.Unlock()
	var lines []string
	for _, mode := range Every {
		if n := skipped.counts[mode]; n > 0 {
			lines = append(lines, fmt.Sprintf("e2e: %d behaviours not shown %s (make e2e shows all)", n, map[Mode]string{
				InProcess: "in process", Binaries: "with real binaries", Containers: "in containers"}[mode]))
		}
	}
	return strings.Join(lines, "\n")
}
