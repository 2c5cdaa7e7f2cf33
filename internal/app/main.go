// Package app puts the reverse proxy together: it knows every other package,
// and no other package knows it. Main is the program, Run the proxy.
package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"go-proxy/internal/config"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // could not start, or could not end in time
	exitUsage  = 2 // the configuration is wrong; nothing was started
	exitDown   = 3 // a backend would be down
)

// Main is the program: it returns the exit code. SIGTERM or SIGINT ends it in
// order, a second one at once; SIGHUP has the configuration read again.
func Main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	p := program{getenv, stdout, stderr}
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(p, args[1:])
			}
		}
	}
	c, _, code, ok := p.configure(args)
	if !ok {
		return code
	}
	return p.serve(c, args)
}

// serve runs the proxy.
func (p program) serve(c *config.Config, args []string) (code int) {
	level := new(slog.LevelVar)
	log := newLogger(p.stderr, c.Log, level)
	// net/http says some things to the default logger only, and quotes what a
	// backend sent.
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelDebug)
	// A reader of our output that goes away must not end the proxy.
	signal.Ignore(syscall.SIGPIPE)
	defer runtime.KeepAlive(ballast(p.getenv))
	ctx, hurry, stop := untilSignalled()
	defer stop()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	in := Inputs{
		Load:  func() (*config.Config, error) { return config.Proxy(args, p.getenv) },
		Asked: asked,
		Level: level,
	}
	if err := Run(ctx, hurry, c, in, p.stdout, log); err != nil {
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

func newLogger(w io.Writer, s config.Log, level *slog.LevelVar) *slog.Logger {
	_ = level.UnmarshalText([]byte(s.Level)) // config lets only good ones pass
	options := &slog.HandlerOptions{Level: level}
	if s.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
