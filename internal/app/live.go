package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/health"
	"go-proxy/internal/pool"
)

// finding is what trying a backend found.
type finding struct {
	backend   string
	addresses []attempted // one for each that its name has
	probe     attempted   // decides: a first probe is all that a starting proxy waits for
}

// attempted is something that was tried, and how that ended.
type attempted struct {
	what string
	took time.Duration
	err  error
}

func (a attempted) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("ok in %v", a.took.Round(10*time.Microsecond))
}

// checkLive tries all backends side by side and prints what it found. The time
// is bounded by those for a dial, twice, and for a probe.
func (p program) checkLive(c *config.Config) (code int) {
	findings := make([]finding, len(c.Backends))
	var all sync.WaitGroup
	for i, b := range c.Backends {
		all.Go(func() { findings[i] = try(c, b) })
	}
	all.Wait()
	down := 0
	for _, f := range findings {
		if f.probe.err != nil {
			down++
		}
	}
	code = p.print(findingsText(findings))
	if code == exitOK && down > 0 {
		fmt.Fprintf(p.stderr, "backends that would be down: %d of %d\n", down, len(findings))
		return exitDown
	}
	return code
}

// try resolves, dials and probes a backend.
func try(c *config.Config, b config.Backend) finding {
	f := finding{backend: b.URL.String(), addresses: dialAll(c.Timeouts.Dial, b)}
	probe := health.NewHTTP(&pool.Backend{URL: b.URL}, c.Health, func(ctx context.Context, b *pool.Backend) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", b.Address())
	})
	defer probe.Close()
	f.probe = timed("", func() error {
		timeout := fmt.Errorf("no answer within %v", c.Health.Timeout)
		ctx, cancel := context.WithTimeoutCause(context.Background(), c.Health.Timeout, timeout)
		defer cancel()
		err := probe.Probe(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return timeout
		}
		return errors.New(strings.TrimPrefix(err.Error(), "probe: ")) // which the table says
	})
	return f
}

// dialAll dials every address that the backend's name has, side by side.
func dialAll(timeout time.Duration, b config.Backend) []attempted {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", b.URL.Hostname())
	if err != nil {
		if dns, ok := errors.AsType[*net.DNSError](err); ok {
			err = errors.New(dns.Err) // the name is in the table
		}
		return []attempted{{what: "none", err: err}}
	}
	dials := make([]attempted, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() { dials[i] = dial(timeout, net.JoinHostPort(addr.Unmap().String(), b.Port())) })
	}
	all.Wait()
	return dials
}

func dial(timeout time.Duration, addr string) attempted {
	return timed(addr, func() error {
		conn, err := net.DialTimeout("tcp", addr, timeout)
		if err != nil {
			if op, ok := errors.AsType[*net.OpError](err); ok {
				err = op.Err // the address is in the table
			}
			return err
		}
		return conn.Close()
	})
}

func timed(what string, f func() error) attempted {
	start := time.Now()
	err := f()
	return attempted{what, time.Since(start), err}
}

func findingsText(findings []finding) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BACKEND\tSTATE\tADDRESS\tCONNECTION\tHEALTH CHECK")
	for _, f := range findings {
		backend, state, probe := f.backend, "up", f.probe.String()
		if f.probe.err != nil {
			state = "down"
		}
		for _, a := range f.addresses {
			fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%s\n", backend, state, a.what, a, probe)
			backend, state, probe = "", "", "" // once
		}
	}
	table.Flush()
	return b.String()
}
