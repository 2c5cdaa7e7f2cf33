// Command dev shows the proxy at work: it builds both programs, runs the proxy
// in front of three sample backends, sends it a request a second, and merges
// what all of them say. Everything ends together: on Ctrl-C, on SIGTERM, or
// when one of the programs ends by itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// stopSignals end the run in order. SIGPIPE is what `make run | head` raises.
var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

func main() {
	told, cancel := signal.NotifyContext(context.Background(), stopSignals...)
	defer cancel()
	if err := run(told); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", strings.ReplaceAll(err.Error(), "\n", "\ndev: "))
		os.Exit(1)
	}
}

// run returns nil if it was told to stop, and the reason if it stopped for
// another.
func run(told context.Context) error {
	s := newStack(os.Getenv)
	if err := s.checkPorts(); err != nil {
		return err
	}
	if err := build(told); err != nil {
		return unlessTold(told, err)
	}

	ctx, end := context.WithCancelCause(told)
	out := newOutput(os.Stdout, append(s.names(), "client", "dev"), end)
	g := &group{out: out, end: end}
	defer g.stop()
	if err := g.startAll(ctx, s); err != nil {
		return unlessTold(told, err)
	}
	out.say("dev", s.hint())

	var traffic sync.WaitGroup
	if os.Getenv("DEV_TRAFFIC") != "off" {
		traffic.Go(func() { newClient(s.url(), out).run(ctx) })
	}
	<-ctx.Done()
	traffic.Wait()
	return unlessTold(told, context.Cause(ctx))
}

func build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binaries, "./cmd/...")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// unlessTold drops an error that only tells that we were told to stop.
func unlessTold(told context.Context, err error) error {
	if told.Err() != nil {
		return nil
	}
	return err
}
