// Package lab is what the programs of the bench share: processes on one core,
// load on them, what they cost, and tables of it.
package lab

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The proxy that is measured has one core, all else the other.
const (
	ProxyCore = 0
	LoadCore  = 1
)

// BackendCount is how many backends there are behind a proxy.
const BackendCount = 3

// Main is the main function of a program: run ends with SIGINT and SIGTERM, so
// that what it has started is stopped.
func Main(name string, run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
