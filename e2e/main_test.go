// Package e2e shows the README's promises from outside. Each file is one
// behaviour; README.md beside it maps promises to tests. Package stack starts
// what a behaviour needs.
package e2e

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go-proxy/e2e/stack"
)

// ending is taken by whoever ends the process, and never given back: a suite
// that is interrupted fails when its containers go, and must not be the first
// to say how it ended.
var ending sync.Mutex

func TestMain(m *testing.M) {
	code := runAll(m)
	ending.Lock()
	os.Exit(code)
}

func runAll(m *testing.M) int {
	if strings.Contains(os.Getenv("E2E_MODES"), string(stack.Containers)) {
		if err := stack.Prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go sweepWhenInterrupted()
	}
	code := m.Run()
	stack.Finish()
	if summary := stack.Summary(); summary != "" {
		fmt.Println(summary)
		if path := os.Getenv("E2E_SUMMARY"); path != "" { // go test hides what a good run prints
			_ = os.WriteFile(path, []byte(summary+"\n"), 0o644)
		}
	}
	if leaks := stack.Leaks(); len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "e2e: left behind: %s\n", strings.Join(leaks, "; "))
		stack.RemoveOwn()
		return 1
	}
	return code
}

// sweepWhenInterrupted removes containers when the run is ended by Ctrl-C:
// then no t.Cleanup runs.
func sweepWhenInterrupted() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	ending.Lock()
	stack.RemoveOwn()
	os.Exit(130)
}
