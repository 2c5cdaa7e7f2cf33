package resolve

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// name is a host name and what is known of it. Resolver.mu is held for all of
// it.
type name struct {
	addrs   []netip.Addr // the last good answer; the one that worked last comes first
	err     error        // of the last lookup
	asked   time.Time
	doubted bool      // a connection has failed
	until   time.Time // for how long it is known though no backend has it; zero: one has
}

func (n *name) gone() bool { return !n.until.IsZero() }

// lasts is asked of a name that no backend has: it is known for a while.
func (n *name) lasts(while time.Duration) bool {
	if !n.gone() {
		n.until = time.Now().Add(while)
	}
	return time.Now().Before(n.until)
}

func (n *name) sorted() []netip.Addr {
	return slices.SortedFunc(slices.Values(n.addrs), netip.Addr.Compare)
}

// freshEnough is how old an answer is at least before a failed connection
// makes us ask again.
const freshEnough = time.Second

// maxAddrs is how many addresses of a name are used. A name server must not
// decide how many backends are probed.
const maxAddrs = 256

var errNoAddress = errors.New("no address")

// learn takes the answer to a lookup, and reports whether the addresses are
// others than before.
func (r *Resolver) learn(host string, addrs []netip.Addr, err error) (changed bool) {
	all := tidy(addrs)
	addrs = all[:min(len(all), maxAddrs)]
	if err == nil && len(addrs) == 0 {
		err = errNoAddress
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[host]
	if n == nil || n.gone() {
		return false
	}
	failedBefore := n.err != nil
	n.asked, n.doubted, n.err = time.Now(), false, err
	if err != nil {
		if !failedBefore {
			r.log.Warn("name cannot be resolved; its last addresses stay in use", "name", host, "addresses", len(n.addrs), "error", err)
		}
		return false
	}
	before := *n
	n.take(addrs)
	if slices.Equal(before.sorted(), n.sorted()) {
		return false
	}
	if slices.ContainsFunc(before.addrs, func(a netip.Addr) bool { return !slices.Contains(addrs, a) }) {
		r.changed = append(r.changed, host)
	}
	r.log.Info("name resolved", "name", host, "addresses", n.sorted())
	if len(all) > len(addrs) {
		r.log.Warn("name has more addresses than are used", "name", host, "addresses", len(all), "used", len(addrs))
	}
	return true
}

// take makes addrs the answer. The address that was used before is used again.
func (n *name) take(addrs []netip.Addr) {
	used := n.addrs
	n.addrs = addrs
	if len(used) > 0 {
		n.prefer(used[0])
	}
}

// prefer puts an address of the answer first.
func (n *name) prefer(addr netip.Addr) {
	if i := slices.Index(n.addrs, addr); i > 0 {
		n.addrs = slices.Concat([]netip.Addr{addr}, n.addrs[:i], n.addrs[i+1:])
	}
}

// tidy writes IPv4 addresses in IPv4's way, each once.
func tidy(addrs []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, addr := range addrs {
		if addr = addr.Unmap(); !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	return all
}

// addresses are those of a host name or address, those to try first coming
// first.
func (r *Resolver) addresses(host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[host]
	switch {
	case n == nil:
		return nil, &net.DNSError{Err: "not a backend's name any more", Name: host, IsNotFound: true}
	case len(n.addrs) == 0:
		return nil, n.err
	}
	return n.addrs, nil
}

// worked is told that the address of a host could be connected to.
func (r *Resolver) worked(host string, addr netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.names[host]; n != nil {
		n.prefer(addr)
	}
}

// doubt has Run ask again for a name, since a connection has failed.
func (r *Resolver) doubt(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.names[host]; n != nil {
		n.doubted = true
		r.signal(r.wake)
	}
}

// takeDoubted are the names that are doubted and worth asking for.
func (r *Resolver) takeDoubted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hosts []string
	for host, n := range r.names {
		if n.doubted && !n.gone() && time.Since(n.asked) >= freshEnough {
			hosts = append(hosts, host)
		}
		n.doubted = false
	}
	return hosts
}
