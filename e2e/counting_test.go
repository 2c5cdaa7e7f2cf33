package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// counting is a backend that counts the requests that it was sent whole, by
// method and path, and answers with the request's body. Its scripts, by path,
// do something else instead, and the connection is closed behind them.
type counting struct {
	name, addr string
	scripts    map[string]func(*testkit.Peer)

	mu    sync.Mutex
	whole map[string]int
}

func newCounting(t testing.TB, name string, scripts map[string]func(*testkit.Peer)) *counting {
	c := &counting{name: name, scripts: scripts, whole: make(map[string]int)}
	c.addr = testkit.Script(t, c.serve)
	return c
}

func (c *counting) serve(p *testkit.Peer) {
	for {
		_ = p.SetDeadline(time.Now().Add(stack.Patience))
		request, body := p.WholeRequest()
		if request == nil {
			return
		}
		c.count(request)
		if script := c.scripts[request.URL.Path]; script != nil {
			script(p)
			return
		}
		p.Sendf("HTTP/1.1 200 OK\r\nX-Backend: %s\r\nContent-Length: %d\r\n\r\n%s", c.name, len(body), body)
	}
}

func (c *counting) count(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole[r.Method+" "+r.URL.Path]++
}

// got is how often it was sent a request.
func (c *counting) got(request string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole[request]
}

// resets ends the connection without an answer, closes in order.
func resets(p *testkit.Peer) { p.Reset() }
func closes(*testkit.Peer)   {}

// unavailable is an answer of a backend's own.
var unavailable = says("HTTP/1.1 503 Service Unavailable\r\nX-Backend: own\r\nContent-Length: 4\r\n\r\nbusy")

// newCountings is a stack of n such backends, called 1 to n, which probes
// neither take out nor bring back.
func newCountings(t *testing.T, mode stack.Mode, n int, scripts map[string]func(*testkit.Peer), opts ...stack.Option) (*stack.Stack, []*counting) {
	var all []*counting
	var addrs []string
	for i := range n {
		c := newCounting(t, fmt.Sprint(i+1), scripts)
		all, addrs = append(all, c), append(addrs, c.addr)
	}
	opts = append([]stack.Option{stack.WithBackends(0), stack.WithPeers(addrs...), stack.With("HEALTH_CHECK_INTERVAL", never)}, opts...)
	return stack.New(t, mode, opts...), all
}

// total is how often all of them together were sent a request.
func total(all []*counting, request string) (n int) {
	for _, c := range all {
		n += c.got(request)
	}
	return n
}
