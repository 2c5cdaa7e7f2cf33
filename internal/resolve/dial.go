package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"go-proxy/internal/pool"
)

// Dial connects to a backend at one of the addresses known. They are tried in
// order, each within its share of the time that ctx leaves.
func (r *Resolver) Dial(ctx context.Context, b *pool.Backend) (net.Conn, error) {
	host, port, err := net.SplitHostPort(b.Address())
	if err != nil {
		return nil, err
	}
	addrs, err := r.addresses(host)
	if err != nil {
		r.doubt(host)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	conn, err := r.dialAny(ctx, host, port, addrs)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		r.doubt(b.URL.Hostname())
	}
	return conn, err
}

// dialAny returns the first error if there is nothing but errors.
func (r *Resolver) dialAny(ctx context.Context, host, port string, addrs []netip.Addr) (net.Conn, error) {
	var first error
	for i, addr := range addrs {
		conn, err := r.dialOne(ctx, net.JoinHostPort(addr.String(), port), len(addrs)-i)
		if err == nil {
			if i > 0 {
				r.worked(host, addr)
			}
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// dialOne leaves time for the others that are to be tried.
func (r *Resolver) dialOne(ctx context.Context, addr string, share int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && share > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	return r.connect(ctx, "tcp", addr)
}
