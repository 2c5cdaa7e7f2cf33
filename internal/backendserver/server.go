package backendserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// server is the running program: the handler, the connections it serves, and
// the goroutine that accepts them.
type server struct {
	http    *http.Server
	handler *Handler
	conns   connections
	log     *slog.Logger
	cancel  context.CancelFunc // ends the context of every request
}

// serve binds the address, says so, and serves until a signal. It returns
// when all it started has ended; an error says what did not end well.
func serve(s settings, signals <-chan os.Signal, stdout, stderr io.Writer) error {
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("cannot bind the listen address: %w", err)
	}
	id := identify(s.listen, listener.Addr().(*net.TCPAddr).Port)
	fmt.Fprintf(stdout, "🚀 starting backend server on %s (reporting as %s)\n", id.Listen, id.Name)
	return newServer(NewHandler(id, s.faults), stderr).run(listener, signals, s.shutdown)
}

func newServer(handler *Handler, stderr io.Writer) *server {
	lines := slog.NewTextHandler(stderr, nil)
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{handler: handler, log: slog.New(lines), cancel: cancel}
	s.http = &http.Server{
		Handler:           s.conns.count(handler),
		ConnState:         s.conns.changed,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(lines, slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      stall, // where the handler is not reached; it moves its own with progress
		IdleTimeout:       75 * time.Second,
		// "OPTIONS *" is echoed like anything else.
		DisableGeneralOptionsHandler: true,
	}
	return s
}

// run serves until a signal arrives, then lets requests in flight end within
// timeout.
func (s *server) run(listener net.Listener, signals <-chan os.Signal, timeout time.Duration) error {
	accepted := make(chan error, 1)
	go s.accept(listener, accepted)
	select {
	case err := <-accepted:
		s.cut()
		return fmt.Errorf("accept connections: %w", err)
	case sig := <-signals:
		s.log.Info("shutting down", "signal", sig.String(), "timeout", timeout)
	}
	err := s.drain(signals, timeout)
	<-accepted
	return err
}

func (s *server) accept(listener net.Listener, done chan<- error) {
	done <- s.http.Serve(listener)
}

// drain stops accepting and waits for requests in flight; at the timeout or
// another signal it cuts what is left.
func (s *server) drain(signals <-chan os.Signal, timeout time.Duration) error {
	s.handler.Release() // an answer that never comes would use up the timeout
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	drained := make(chan error, 1)
	go s.shutdown(ctx, drained)
	select {
	case err := <-drained:
		cut := s.cut()
		if errors.Is(err, context.DeadlineExceeded) && cut > 0 {
			return fmt.Errorf("requests still in flight after %v: %s cut", timeout, connectionsText(cut))
		}
		return nil
	case <-signals:
		cancel()
		<-drained
		return fmt.Errorf("second signal: %s cut", connectionsText(s.cut()))
	}
}

func (s *server) shutdown(ctx context.Context, done chan<- error) {
	done <- s.http.Shutdown(ctx)
}

// cut closes every connection and waits for what served them. It returns how
// many had a request in flight.
func (s *server) cut() int {
	active := s.conns.active()
	s.cancel()
	s.http.Close()
	s.conns.wait()
	return active
}
