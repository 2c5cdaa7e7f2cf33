package pool

import (
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
)

// Backend is one upstream server. Its URL is its identity. One that is a single
// address of the URL's host has that for the URL's fragment:
// http://api:8080#192.0.2.1.
type Backend struct {
	URL  *url.URL
	name string

	inFlight atomic.Int64
	failures atomic.Int64  // consecutive failed exchanges
	downs    atomic.Uint64 // how often it has gone down
	state    atomic.Uint32 // a State; written under the pool's lock
	drains   atomic.Bool   // written there, too

	// Under the pool's lock:
	contrary int // consecutive probes that contradict state
	weight   int
	backup   bool
	late     bool      // was added to others
	warmth   int       // how much of its weight counts, see Advance
	warming  time.Time // since when; zero until Advance says
	bound    int       // of its leases; 0: the pool's
	reason   string    // of the last change
	spared   bool      // soft failures alone took it down; see mayFall
	ejected  bool      // no probe brings it back; see Readmit
}

func newBackend(u *url.URL) *Backend { return &Backend{URL: u, name: u.String(), warmth: warm} }

// String is the backend's URL.
func (b *Backend) String() string { return b.name }

// Address is where to connect to, as host:port. The host may be a name.
func (b *Backend) Address() string {
	host := b.URL.Hostname()
	if b.URL.Fragment != "" {
		host = b.URL.Fragment
	}
	return net.JoinHostPort(host, config.Backend{URL: b.URL}.Port())
}

// MarshalText makes JSON logs show what text logs do.
func (b *Backend) MarshalText() ([]byte, error) { return []byte(b.name), nil }

// State says whether the backend may be picked.
func (b *Backend) State() State { return State(b.state.Load()) }

// InFlight is how many leases are out.
func (b *Backend) InFlight() int64 { return b.inFlight.Load() }
