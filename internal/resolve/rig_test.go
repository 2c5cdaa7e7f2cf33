package resolve_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
	"go-proxy/internal/resolve"
)

const (
	interval = 30 * time.Second
	timeout  = 2 * time.Second
)

var errLookup = errors.New("server misbehaving")

// rig is a Resolver with a name server and a network that do as they are told,
// in a bubble whose clock stands at 0 when it starts.
type rig struct {
	t     *testing.T
	start time.Time
	*resolve.Resolver

	mu      sync.Mutex
	answers map[string]string // addresses, or "" for a failure
	takes   time.Duration     // a lookup
	asked   []string          // "0s a"
	refuses string            // addresses, or prefixes of them
	dialed  []string
	log     strings.Builder
}

// bubble runs f over a Resolver that runs for the backends.
func bubble(t *testing.T, mode, backends string, answers map[string]string, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, start: time.Now(), answers: answers}
		r.Resolver = resolve.New(r.lookup, r.connect, slog.New(slog.NewTextHandler(&locked{&r.mu, &r.log}, nil)))
		r.Update(t.Context(), r.config(mode, backends))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		synctest.Wait()
		f(r)
		stop()
		running.Wait()
	})
}

type locked struct {
	mu   *sync.Mutex
	text *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (r *rig) config(mode, backends string) *config.Config {
	r.t.Helper()
	c, err := config.Proxy([]string{"-resolve", mode, "-backends", backends}, func(string) string { return "" })
	require.NoError(r.t, err)
	return c
}

func (r *rig) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	require.Equal(r.t, "ip", network)
	r.mu.Lock()
	answer, takes := r.answers[host], r.takes
	r.asked = append(r.asked, time.Since(r.start).String()+" "+host)
	r.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if answer == "" {
		return nil, errLookup
	}
	var addrs []netip.Addr
	for text := range strings.FieldsSeq(answer) {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

func (r *rig) connect(ctx context.Context, _, addr string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialed = append(r.dialed, addr)
	for prefix := range strings.FieldsSeq(r.refuses) {
		if strings.HasPrefix(addr, prefix) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused " + addr)}
		}
	}
	ours, theirs := net.Pipe()
	theirs.Close()
	return ours, nil
}

// answer makes other addresses the name's.
func (r *rig) answer(host, addrs string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[host] = addrs
}

func (r *rig) refuse(addrs string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = addrs
}

// takeAsked are the lookups since it was last called, in the order of names.
func (r *rig) takeAsked() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	slices.Sort(asked)
	return asked
}

func (r *rig) until(at time.Duration) {
	r.t.Helper()
	time.Sleep(at - time.Since(r.start))
	synctest.Wait()
}

func (r *rig) urls(mode, backends string) string {
	var all []string
	for _, b := range r.Backends(r.config(mode, backends).Backends) {
		all = append(all, b.URL.String())
	}
	return strings.Join(all, " ")
}

// changed reports whether there is news, and takes it.
func (r *rig) changed() bool {
	select {
	case <-r.Changes():
		return true
	default:
		return false
	}
}

// dial connects to the backend and returns the addresses that were tried.
func (r *rig) dial(backend string) ([]string, error) {
	return r.dialWithin(r.t.Context(), backend)
}

func (r *rig) dialWithin(ctx context.Context, backend string) ([]string, error) {
	u, err := url.Parse(backend)
	require.NoError(r.t, err)
	b := pool.New([]config.Backend{{URL: u}}, pool.Settings{}, nil).Backends()[0]
	r.mu.Lock()
	r.dialed = nil
	r.mu.Unlock()
	start := time.Now()
	conn, err := r.Dial(ctx, b)
	require.Equal(r.t, start, time.Now(), "nobody waits for a lookup")
	if err == nil {
		conn.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dialed, err
}
