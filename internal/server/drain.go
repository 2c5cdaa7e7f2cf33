package server

import (
	"context"
	"sync"
	"time"
)

// drainTick is how often the drain looks whether all is done.
const drainTick = 2 * time.Millisecond

// drain ends everything in order and returns how many connections were cut.
func (s *Server) drain(hurry context.Context, plane Plane, grace time.Duration, served <-chan error) (cut int) {
	ctx, cancel := context.WithTimeout(hurry, grace)
	defer cancel()
	// 1. New connections are refused and new requests not begun.
	var draining sync.WaitGroup
	draining.Go(func() { plane.Drain(ctx) })
	<-served
	// 2. What is under way ends. Connections that are not busy are not waited
	// for: a client that only connects would hold up the end.
	for s.busy() > 0 && ctx.Err() == nil {
		select {
		case <-time.After(drainTick):
		case <-ctx.Done():
		}
	}
	// 3. The rest is cut.
	cut = s.busy()
	plane.Close()
	cancel()
	draining.Wait()
	return cut
}

// busy is how many connections have a request or a tunnel under way.
func (s *Server) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if c.Busy() {
			n++
		}
	}
	return n
}
