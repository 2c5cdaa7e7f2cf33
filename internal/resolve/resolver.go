// Package resolve knows the addresses of the backends' names. It asks for them
// in the background, on a timer and when a connection fails: no request waits
// for a name server, and while that fails its last good answer stays in use.
package resolve

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go-proxy/internal/config"
)

// Lookup asks for the addresses of a host name. net.Resolver has one.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Connect makes a connection. net.Dialer has one.
type Connect func(ctx context.Context, network, address string) (net.Conn, error)

// Resolver keeps the addresses of names.
type Resolver struct {
	lookup  Lookup
	connect Connect
	log     *slog.Logger
	wake    chan struct{}
	changes chan struct{}

	mu       sync.Mutex
	settings config.Resolve
	timeout  time.Duration // of a lookup
	names    map[string]*name
	changed  []string // names that have lost addresses since TakeChanged
}

// New makes a Resolver that knows no name yet. Run keeps what it knows fresh.
func New(lookup Lookup, connect Connect, log *slog.Logger) *Resolver {
	return &Resolver{
		lookup: lookup, connect: connect, log: log,
		wake: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		names: make(map[string]*name),
	}
}

// Update makes the names those of the configuration's backends, and asks for
// the ones it does not know; that takes as long as a dial may take, at most.
// Names that go are still known while their backends drain.
func (r *Resolver) Update(ctx context.Context, c *config.Config) {
	r.mu.Lock()
	r.settings, r.timeout = c.Resolve, c.Timeouts.Dial
	before := r.names
	r.names = make(map[string]*name)
	unknown := r.want(c.Backends, before)
	for host, n := range before {
		if r.names[host] == nil && n.lasts(c.Shutdown+c.Timeouts.Dial) {
			r.names[host] = n
		}
	}
	r.mu.Unlock()
	r.refresh(ctx, unknown)
	r.signal(r.wake) // the interval may be another one
}

// want takes in the backends' names, and returns those that are to be asked
// for. r.mu is held.
func (r *Resolver) want(backends []config.Backend, before map[string]*name) (unknown []string) {
	for _, b := range backends {
		host := b.URL.Hostname()
		if _, err := netip.ParseAddr(host); err == nil || r.names[host] != nil {
			continue
		}
		n := before[host]
		if n == nil {
			n = new(name)
		}
		if n.asked.IsZero() || n.gone() {
			unknown = append(unknown, host)
		}
		n.until = time.Time{}
		r.names[host] = n
	}
	return unknown
}

// Backends are those that there are: with resolve: all one for each address of a
// name, none while no answer is known, like the one of the name in all but that.
func (r *Resolver) Backends(backends []config.Backend) []config.Backend {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []config.Backend
	for _, b := range backends {
		n := r.names[b.URL.Hostname()]
		if n == nil || !r.settings.All() {
			all = append(all, b)
			continue
		}
		for _, addr := range n.sorted() {
			u := *b.URL
			u.Fragment = addr.String()
			b.URL = &u
			all = append(all, b)
		}
	}
	return all
}

// Changes tells that a name has other addresses than before.
func (r *Resolver) Changes() <-chan struct{} { return r.changes }

// TakeChanged returns the names that have lost an address since it was last
// called.
func (r *Resolver) TakeChanged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.changed
	r.changed = nil
	return changed
}

// Run asks again until ctx ends.
func (r *Resolver) Run(ctx context.Context) {
	last := time.Now()
	for {
		var hosts []string
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(last.Add(r.interval()))):
			last = time.Now()
			hosts = r.all()
		case <-r.wake:
			hosts = r.takeDoubted()
		}
		if r.refresh(ctx, hosts) {
			r.signal(r.changes)
		}
	}
}

func (r *Resolver) interval() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings.Interval
}

func (r *Resolver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hosts []string
	for host, n := range r.names {
		if !n.gone() {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// refresh asks for the hosts' addresses, side by side, and reports whether any
// are others than before.
func (r *Resolver) refresh(ctx context.Context, hosts []string) (changed bool) {
	r.mu.Lock()
	timeout := r.timeout
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	news := make([]bool, len(hosts))
	var asking sync.WaitGroup
	for i, host := range hosts {
		asking.Go(func() {
			addrs, err := r.lookup(ctx, "ip", host)
			news[i] = r.learn(host, addrs, err)
		})
	}
	asking.Wait()
	return slices.Contains(news, true)
}

func (r *Resolver) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will be seen
	}
}
