// Package app puts the reverse proxy together: it knows every other package,
// and no other package knows it. Main is the program, Run the proxy.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"go-proxy/internal/config"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // could not start, or could not end in time
	exitUsage  = 2 // the configuration is wrong; nothing was started
)

// Main is the program: it returns the exit code. SIGTERM or SIGINT ends it in
// order, a second one at once.
func Main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == "version" {
		fmt.Fprintln(stdout, version())
		return exitOK
	}
	c, err := config.Proxy(args, getenv)
	if errors.Is(err, config.ErrHelp) {
		writeHelp(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	log := newLogger(stderr, c.Log)
	// net/http says some things to the default logger only, and quotes what a
	// backend sent.
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelDebug)
	// A reader of our output that goes away must not end the proxy.
	signal.Ignore(syscall.SIGPIPE)
	ctx, hurry, stop := untilSignalled()
	defer stop()
	if err := Run(ctx, hurry, c, stdout, log); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	return exitOK
}

// untilSignalled returns a context that ends with the first signal, and one
// that ends with the second.
func untilSignalled() (first, second context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	first, endFirst := context.WithCancel(context.Background())
	second, endSecond := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		for _, end := range []func(){endFirst, endSecond} {
			select {
			case <-signals:
				end()
			case <-done:
				return
			}
		}
	}()
	return first, second, func() {
		signal.Stop(signals)
		close(done)
		endFirst()
		endSecond()
	}
}

func newLogger(w io.Writer, s config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.Level)) // config lets only good ones pass
	options := &slog.HandlerOptions{Level: level}
	if s.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func version() string {
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += " " + s.Value
			}
		}
	}
	return fmt.Sprintf("reverse_proxy %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func writeHelp(w io.Writer) {
	fmt.Fprint(w, `reverse_proxy spreads HTTP requests over backends.

Usage:
  reverse_proxy [flags]
  reverse_proxy version

Every setting is a flag, an environment variable and a key of the file (JSON,
with comments): the flag wins, then the variable, then the file, then the
default. Problems are reported all at once (exit code 2).

`)
	config.WriteUsage(w, new(config.Config).Settings())
}
