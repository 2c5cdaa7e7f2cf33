// Package server owns the listening address and the clients' connections:
// it binds, accepts, bounds, drains and cuts. What is said on a connection is
// the business of a Plane.
package server

import (
	"context"
	"fmt"
	"net"
	"sync"
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

// Server is a bound address.
type Server struct {
	net.Listener
	stall time.Duration

	mu    sync.Mutex
	conns map[*netconn.Conn]struct{}
}

// Listen binds the address. A client that takes nothing of a response for
// stall is given up.
func Listen(address string, stall time.Duration) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &Server{Listener: listener, stall: stall, conns: make(map[*netconn.Conn]struct{})}, nil
}

// Accept takes the next connection and keeps count of it.
func (s *Server) Accept() (net.Conn, error) {
	inner, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := netconn.New(inner, s.stall, s.forget)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	return c, nil
}

func (s *Server) forget(c *netconn.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Run lets the plane serve until ctx ends, and then drains: requests in
// flight and tunnels may end within grace, or until hurry ends; what is left is
// cut. It returns how many connections that were, and the error that ended
// serving, if it was not ctx.
func (s *Server) Run(ctx, hurry context.Context, plane Plane, grace time.Duration) (cut int, err error) {
	served := make(chan error, 1)
	go func() { served <- plane.Serve(s) }()
	select {
	case <-ctx.Done():
		return s.drain(hurry, plane, grace, served), nil
	case err = <-served:
		cut = s.busy()
		plane.Close()
		return cut, fmt.Errorf("serve on %s: %w", s.Addr(), err)
	}
}
