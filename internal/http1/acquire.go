package http1

import (
	"time"

	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// acquire takes a lease: of the backend on whose connection the client has
// logged in, if it has room, or of the next one; it may have to wait for that.
// The cause is why there is none.
func (x *exchange) acquire() hop.Cause {
	p := x.plane.pool
	if x.settings.Retries.Most > 0 {
		p.CountRequest()
	}
	x.policyKey = x.key()
	lease, err := pool.Lease{}, pool.ErrNoneLeft
	if private := x.client.private; private != nil {
		lease, err = p.AcquireThis(private.upstream.backend)
	}
	if err != nil { // or it is passed over as for others, and the client logs in anew
		lease, err = p.Acquire(x.policyKey)
	}
	if err == pool.ErrOverloaded {
		return x.queue()
	}
	return x.take(pool.Answer{Lease: lease, Err: err})
}

func (x *exchange) take(a pool.Answer) hop.Cause {
	x.lease, x.leased = a.Lease, a.Err == nil
	return records.NoLease(a.Err)
}

// queue waits for a lease, as long as that may take and the client is there.
func (x *exchange) queue() hop.Cause {
	w, err := x.plane.pool.Wait(x.policyKey)
	if err != nil {
		return hop.Overloaded
	}
	x.plane.log.Debug("queued", "client", x.client.addr, "method", string(x.record.Method), "path", string(x.record.Path))
	over := time.NewTimer(x.settings.Timeouts.Queue)
	defer over.Stop()
	look := time.NewTicker(x.plane.sweeper.tick)
	defer look.Stop()
	for {
		select {
		case a := <-w.Answer():
			return x.take(a)
		case <-over.C:
			return x.take(w.Leave())
		case <-x.plane.ctx.Done():
			w.GiveUp()
			return hop.Shutdown
		case <-look.C:
		}
		switch {
		case x.late():
			w.GiveUp()
			return hop.TotalTimeout
		case x.client.gone(x.settings.halfClose):
			w.GiveUp()
			return hop.ClientGone
		}
	}
}
