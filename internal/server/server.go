// Package server owns the listening address and the clients' connections:
// it binds, accepts, bounds, drains and cuts. What is said on a connection is
// the business of a Plane.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/netconn"
)

// Plane is one implementation of the forwarding path. A connection belongs to
// one plane for life. The plane says with SetBusy which connections have a
// request or a tunnel under way.
type Plane interface {
	// Serve serves the connections that l accepts until Drain or Close, and
	// then returns nil.
	Serve(l net.Listener) error
	// Drain makes Serve return, ends idle connections, begins no further
	// request and keeps no connection alive. It returns when it has seen all
	// requests end, or when ctx ends.
	Drain(ctx context.Context)
	// Close cuts what is left, tunnels included, and returns when nothing of
	// it runs any more.
	Close()
}

// Server is a bound address, which may change.
type Server struct {
	address *address
	stall   atomic.Int64 // nanoseconds
	grace   atomic.Int64

	refusals refusals
	closed   func(*netconn.Conn) // is forget

	mu    sync.Mutex
	conns map[*netconn.Conn]struct{}
	caps  caps // on conns
}

// New makes a server of a listener. A client that takes nothing of a response
// for stall is given up; at the end, what is under way may take grace.
func New(l net.Listener, stall, grace time.Duration, log *slog.Logger) *Server {
	s := &Server{address: newAddress(l), refusals: refusals{log: log}, conns: make(map[*netconn.Conn]struct{})}
	s.closed = s.forget // once for all connections
	s.Allow(stall, grace)
	return s
}

// Listen is New for a TCP address.
func Listen(address string, stall, grace time.Duration, log *slog.Logger) (*Server, error) {
	l, err := Bind(address)
	if err != nil {
		return nil, err
	}
	return New(l, stall, grace, log), nil
}

// Allow changes the times given to New: stall for connections that are yet to
// come, grace for an end that has not begun.
func (s *Server) Allow(stall, grace time.Duration) {
	s.stall.Store(int64(stall))
	s.grace.Store(int64(grace))
}

// Move has new clients connect to l. Those who are connected stay, and those
// who are waiting at the old address are let in before it is closed.
func (s *Server) Move(l net.Listener) { s.address.move(l) }

// Addr is where clients connect to.
func (s *Server) Addr() net.Addr { return s.address.current().Addr() }

// Close refuses new connections.
func (s *Server) Close() error {
	defer s.refusals.end()
	return s.address.close()
}

// Accept takes the next connection that the caps admit and keeps count of it.
func (s *Server) Accept() (net.Conn, error) {
	for {
		inner, err := s.address.accept()
		if err != nil {
			return nil, err
		}
		c := netconn.New(inner, time.Duration(s.stall.Load()), s.closed)
		above := s.admit(c)
		if above == none {
			return c, nil
		}
		c.Reset()
		c.Close()
		s.refusals.note(above, c.RemoteAddr())
	}
}

// Run lets the plane serve until ctx ends, and then drains: requests in
// flight and tunnels may end within the grace, or until hurry ends; what is
// left is cut. It returns how many connections that were, and the error that
// ended serving, if it was not ctx.
func (s *Server) Run(ctx, hurry context.Context, plane Plane) (cut int, err error) {
	served := make(chan error, 1)
	go func() { served <- plane.Serve(s) }()
	select {
	case <-ctx.Done():
		return s.drain(hurry, plane, time.Duration(s.grace.Load()), served), nil
	case err = <-served:
		cut = s.busy()
		plane.Close()
		return cut, fmt.Errorf("serve on %s: %w", s.Addr(), err)
	}
}
