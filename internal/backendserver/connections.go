package backendserver

import (
	"fmt"
	"net"
	"net/http"
	"sync"
)

// connections knows every open connection. http.Server keeps no count that
// can be asked, and does not wait for handlers when it is closed.
type connections struct {
	mu     sync.Mutex
	states map[net.Conn]http.ConnState
	ended  sync.WaitGroup // connections and handlers: a hijacked connection leaves its handler behind
}

// changed is the server's ConnState hook.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.states == nil {
			c.states = make(map[net.Conn]http.ConnState)
		}
		c.states[conn] = state
		c.ended.Add(1)
	case http.StateClosed, http.StateHijacked:
		delete(c.states, conn)
		c.ended.Done()
	default:
		c.states[conn] = state
	}
}

// count wraps the handler so that wait also waits for it.
func (c *connections) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.ended.Add(1)
		defer c.ended.Done()
		next.ServeHTTP(w, r)
	})
}

// active says how many connections have a request in flight.
func (c *connections) active() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, state := range c.states {
		if state == http.StateActive {
			n++
		}
	}
	return n
}

// wait returns when all connections have ended. None may be accepted any more.
func (c *connections) wait() { c.ended.Wait() }

func connectionsText(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}
