package proxy

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// Proxy is the handler.
type Proxy struct {
	pool       *pool.ServerPool
	upstreams  map[*pool.Backend]*upstream
	timeouts   config.Timeouts
	limits     config.Limits
	trusted    trusted
	retryAfter string // seconds
	observe    exchange.Observer
	log        *slog.Logger
}

// New makes a Proxy that forwards to the backends of the pool and tells
// observe of every exchange.
func New(p *pool.ServerPool, c *config.Config, observe exchange.Observer, log *slog.Logger) *Proxy {
	proxy := &Proxy{
		pool:      p,
		upstreams: make(map[*pool.Backend]*upstream),
		timeouts:  c.Timeouts,
		limits:    c.Limits,
		trusted:   c.TrustedProxies,
		// The next probe is the next chance that a backend is back.
		retryAfter: strconv.Itoa(int((c.Health.Interval + time.Second - 1) / time.Second)),
		observe:    observe,
		log:        log,
	}
	for _, b := range p.Backends() {
		proxy.upstreams[b] = newUpstream(proxy, b)
	}
	return proxy
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := p.open(w, r)
	defer x.end()
	if cause := p.refuse(r); cause != hop.None {
		x.answer(cause)
		return
	}
	x.forward()
}

// DropIdle closes the unused connections to a backend. Those to one that went
// down are most likely dead.
func (p *Proxy) DropIdle(b *pool.Backend) { p.upstreams[b].transport.CloseIdleConnections() }

// Close closes the unused connections to all backends.
func (p *Proxy) Close() {
	for b := range p.upstreams {
		p.DropIdle(b)
	}
}
