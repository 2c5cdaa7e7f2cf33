package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// Dial connects to a backend.
type Dial func(ctx context.Context, b *pool.Backend) (net.Conn, error)

// Proxy is the handler.
type Proxy struct {
	pool    *pool.ServerPool
	dial    Dial
	observe exchange.Observer
	log     *slog.Logger

	settings  atomic.Pointer[settings]
	upstreams atomic.Pointer[map[*pool.Backend]*upstream] // the map never changes

	mu      sync.Mutex // held to put others in their place
	retired []*upstream
}

// New makes a Proxy that forwards to the backends of the pool and tells
// observe of every exchange.
func New(p *pool.ServerPool, c *config.Config, dial Dial, observe exchange.Observer, log *slog.Logger) *Proxy {
	proxy := &Proxy{pool: p, dial: dial, observe: observe, log: log}
	proxy.upstreams.Store(new(map[*pool.Backend]*upstream))
	proxy.Update(c)
	return proxy
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := p.open(w, r)
	defer x.end()
	if cause := x.settings.refuse(r); cause != hop.None {
		x.answer(cause)
		return
	}
	x.forward()
}
