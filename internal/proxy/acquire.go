package proxy

import (
	"time"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// acquire takes a lease of the next backend; it may have to wait for that. The
// cause is why there is none.
func (x *request) acquire() (pool.Lease, hop.Cause) {
	p := x.proxy.pool
	if x.settings.Retries.Most > 0 {
		p.CountRequest()
	}
	x.key = x.policyKey()
	lease, err := p.Acquire(x.key)
	if err == pool.ErrOverloaded {
		return x.queue()
	}
	return taken(pool.Answer{Lease: lease, Err: err})
}

func taken(a pool.Answer) (pool.Lease, hop.Cause) { return a.Lease, exchange.NoLease(a.Err) }

// queue waits for a lease, as long as that may take and the client is there.
func (x *request) queue() (pool.Lease, hop.Cause) {
	w, err := x.proxy.pool.Wait(x.key)
	if err != nil {
		return pool.Lease{}, hop.Overloaded
	}
	x.proxy.log.Debug("queued", "client", x.in.RemoteAddr, "method", x.in.Method, "path", string(x.record.Path))
	over := time.NewTimer(x.settings.Timeouts.Queue)
	defer over.Stop()
	select {
	case a := <-w.Answer():
		return taken(a)
	case <-over.C:
		return taken(w.Leave())
	case <-x.in.Context().Done():
	}
	w.GiveUp()
	return pool.Lease{}, x.interrupted()
}
