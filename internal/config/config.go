package config

import (
	"errors"
	"net/netip"
	"time"
)

// Config is everything the reverse proxy can be told.
type Config struct {
	File           string // where the rest came from, in part; "": none
	Watch          bool   // the file, for changes
	Listen         string
	Plane          string // "http1" or "nethttp"
	Backends       []Backend
	Resolve        Resolve
	Balancing      Balancing
	Retries        Retries
	Bounds         Bounds
	Health         Health
	PassiveOn      []string // outcomes of requests that count against a backend
	HalfClose      bool     // a client that has sent a FIN may wait for its answer
	Timeouts       Timeouts
	Limits         Limits
	TrustedProxies []netip.Prefix
	Shutdown       time.Duration // how long requests may take to end after SIGTERM
	Log            Log
}

// Resolve says what becomes of a backend's name.
type Resolve struct {
	Mode     string // "one" backend, or "all" of its addresses one each
	Interval time.Duration
}

// All reports whether each address of a name is a backend of its own.
func (r Resolve) All() bool { return r.Mode == "all" }

// Balancing says which backend is next.
type Balancing struct {
	Policy    string
	HashKey   HashKey
	HashBound float64       // most leases of one backend, as a multiple of its share; 0: no bound
	SlowStart time.Duration // until a backend that came back has its whole share; 0: none
	FailOpen  bool          // when none is alive those that are down are tried
}

// Hashes reports whether the policy goes by HashKey.
func (b Balancing) Hashes() bool { return b.Policy == "consistent_hash" }

// Weighs reports whether the policy goes by the backends' weights.
func (b Balancing) Weighs() bool { return b.Policy != "round_robin" }

// Retries says which requests are tried again on another backend, and how many.
type Retries struct {
	Most  int      // for one request
	On    []string // statuses that a response is not passed on with, if another backend may have a better one
	Share float64  // of all requests
	Rate  int      // a second, on top
	Burst int      // that may be saved up
}

// Bounds are of what is under way. 0: none.
type Bounds struct {
	InFlight        int
	BackendInFlight int // of one backend
	Queue           int // requests that wait for a place
}

// Health says how backends are judged.
type Health struct {
	Path         string
	Interval     time.Duration
	Timeout      time.Duration
	Jitter       float64 // share of the interval, either way
	ExpectStatus int
	Rise, Fall   int // consecutive probes
	PassiveFall  int // consecutive exchanges

	// How long one that traffic took down stays out at least: doubling each time,
	// up to the most. 0: until a probe succeeds.
	Ejection, EjectionMost time.Duration
}

// Timeouts bound every wait.
type Timeouts struct {
	Dial           time.Duration
	TLSHandshake   time.Duration
	ResponseHead   time.Duration // from the end of the request to the response head
	BackendBody    time.Duration // without progress
	BackendIdle    time.Duration // of a kept-alive connection to a backend
	ExpectContinue time.Duration
	ClientHead     time.Duration
	ClientBody     time.Duration // without progress
	ClientIdle     time.Duration // between requests
	WriteStall     time.Duration // a peer that takes nothing
	TunnelIdle     time.Duration
	Flush          time.Duration // how long an answer of known length may be held back
	Queue          time.Duration // for a place among those in flight
	Attempt        time.Duration // from its begin to the response head, without the client's part; 0: no limit
	Total          time.Duration // for one exchange; 0: no limit
}

// Limits bound every buffer, and what clients can have without one.
type Limits struct {
	Conns               int // of clients; 0: no limit
	ConnsPerClient      int // 0: no limit
	HeaderBytes         int64
	HeaderLines         int
	TargetBytes         int64
	BodyBytes           int64 // 0: no limit
	ReplayBytes         int64
	ResponseHeaderBytes int64
	Informational       int // 1xx responses for one request
	IdleConns           int // kept per backend
}

// Log says what is written, and how.
type Log struct {
	Format       string // "text" or "json"
	Level        string
	Access       bool
	AccessBuffer int64
	AccessFlush  time.Duration
	Query        bool // query strings may appear
}

// Proxy reads the reverse proxy's configuration, with the file if one is named.
// It returns ErrHelp or all Problems at once. It may be called again: it keeps
// nothing.
func Proxy(args []string, getenv func(string) string) (*Config, error) {
	c, _, err := Effective(args, getenv)
	return c, err
}

// Effective is Proxy that also says where each value came from, by key, and
// takes the rows of a command of its own, too.
func Effective(args []string, getenv func(string) string, more ...Setting) (*Config, map[string]Origin, error) {
	c := new(Config)
	origins, err := Load(append(c.Settings(), more...), args, getenv)
	problems, _ := errors.AsType[Problems](err)
	if err != nil && problems == nil {
		return nil, nil, err
	}
	return c, origins, append(problems, c.checkTogether(origins, problems)...).asError()
}
