// Package backendserver is the sample backend: a small origin server to point
// the proxy at. It owns everything the command backend_server does: echoing
// what was received, answering /health, and the fault lab, which makes answers
// misbehave on demand.
//
// It is what the proxy is judged with, so it must not know the proxy: of the
// project's packages it imports config alone. The command calls Main; tests of
// other packages put NewHandler behind a listener of their own.
package backendserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go-proxy/internal/config"
)

// The program's exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // not bound, or not ended in time
	exitConfig = 2 // nothing was started
)

// Main runs the program and returns its exit code.
func Main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2) // a second signal must not be lost while the first is handled
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return run(args, getenv, signals, stdout, stderr)
}

// run is Main with the signals as an argument, so that tests need not send
// any to their own process.
func run(args []string, getenv func(string) string, signals <-chan os.Signal, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == "version" {
		fmt.Fprintln(stdout, version())
		return exitOK
	}
	var s settings
	_, err := config.Load(s.table(), args, getenv)
	switch {
	case errors.Is(err, config.ErrHelp):
		writeUsage(stdout)
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	if err := serve(s, signals, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return exitFailed
	}
	return exitOK
}
