package testkit

import (
	"net"
	"sync"
	"testing"
)

// scripted is a server whose connections follow a script.
type scripted struct {
	t        testing.TB
	script   func(*Peer)
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	peers []*Peer
}

func (s *scripted) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		p := newPeer(s.t, conn)
		s.mu.Lock()
		s.peers = append(s.peers, p)
		s.mu.Unlock()
		s.running.Go(func() {
			defer p.Close()
			s.script(p)
		})
	}
}

func (s *scripted) stop() {
	s.listener.Close()
	s.mu.Lock()
	for _, p := range s.peers {
		p.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
