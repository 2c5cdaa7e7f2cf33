package config

import (
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
)

// Settings is the table of the reverse proxy's settings. Setting a row's
// value changes c.
func (c *Config) Settings() []Setting {
	return slices.Concat(c.general(), c.balancing(), c.resilience(), c.health(), c.timeouts(), c.limits(), c.log())
}

func (c *Config) general() []Setting {
	return []Setting{
		{Key: fileKey, Env: "PROXY_CONFIG", Type: Text(&c.File, "the path of a file that can be read", notEmpty), NotInFile: true,
			Help: "file with the settings that neither a flag nor a variable gives"},
		{Key: "watch", Env: "PROXY_CONFIG_WATCH", Default: "off", Type: Option(&c.Watch), NotInFile: true,
			Help: "the file is read again when its content changes"},
		{Key: "listen", Env: "PROXY_LISTEN_ADDR", Default: ":9000", Type: Address(&c.Listen),
			Help: "address that clients connect to"},
		{Key: "backends", Env: "TARGET_BACKEND_URLS", Default: "http://localhost:8080", Type: Backends(&c.Backends),
			Help: "URLs of the backends; a path is a prefix"},
		{Key: "resolve", Env: "BACKEND_RESOLVE", Default: "one", Type: OneOf(&c.Resolve.Mode, "one", "all"),
			Help: "whether a backend's name is one backend, or all of its addresses are one each"},
		{Key: "resolve_interval", Env: "BACKEND_RESOLVE_INTERVAL", Default: "30s", Type: Duration(&c.Resolve.Interval),
			Help: "time after which the backends' names are resolved again"},
		{Key: "trusted_proxies", Env: "TRUSTED_PROXIES", Type: Prefixes(&c.TrustedProxies),
			Help: "peers whose X-Forwarded-* fields are believed and extended"},
		{Key: "plane", Env: "PROXY_PLANE", Default: "http1", Type: OneOf(&c.Plane, "http1", "nethttp"),
			Help: "what forwards: http1, our own HTTP/1.1, or nethttp, net/http with httputil.ReverseProxy"},
		{Key: "half_close", Env: "HALF_CLOSE", Default: "off", Type: Switch(&c.HalfClose),
			Help: "a client that has ended its side still gets its answer; plane http1 only"},
		{Key: "shutdown_timeout", Env: "SHUTDOWN_TIMEOUT", Default: "30s", Type: Duration(&c.Shutdown),
			Help: "time for requests in flight to end after SIGTERM or SIGINT, or with a backend that is removed"},
	}
}

func (c *Config) balancing() []Setting {
	b := &c.Balancing
	return []Setting{
		{Key: "policy", Env: "LB_POLICY", Default: "round_robin", Type: OneOf(&b.Policy, policies...),
			Help: "which backend is next"},
		{Key: "hash_key", Env: "LB_HASH_KEY", Default: "client_address", Type: hashKey(&b.HashKey),
			Help: "part of a request that consistent_hash goes by"},
		{Key: "hash_bound", Env: "LB_HASH_BOUND", Default: "off", Type: Bound(&b.HashBound),
			Help: "most requests at a time that consistent_hash gives to a backend, relative to its share of all"},
		{Key: "slow_start", Env: "LB_SLOW_START", Default: "off", Type: DurationOrOff(&b.SlowStart),
			Help: "time in which a backend that came back rises from 10 % of its share to all of it"},
		{Key: "fail_open", Env: "FAIL_OPEN", Default: "off", Type: Switch(&b.FailOpen),
			Help: "while no backend is alive those that are down are tried anyway"},
	}
}

func (c *Config) resilience() []Setting {
	r, b := &c.Retries, &c.Bounds
	return []Setting{
		{Key: "retries", Env: "RETRIES", Default: "0", Type: Int(&r.Most, 0, 10),
			Help: "other backends that a request is tried on after one has failed, if it may be sent again"},
		{Key: "retry_on", Env: "RETRY_ON", Default: "none", Type: Words(&r.On, "502, 503 or 504", "502", "503", "504"),
			Help: "statuses after which an idempotent request is tried on another backend, too"},
		{Key: "retry_budget", Env: "RETRY_BUDGET", Default: "20%", Type: percentage(&r.Share, 0, 100, 20),
			Help: "retries at most, as a share of all requests"},
		{Key: "retry_rate", Env: "RETRY_RATE", Default: "10", Type: Int(&r.Rate, 0, 1000000),
			Help: "retries a second that are allowed on top of the share"},
		{Key: "retry_burst", Env: "RETRY_BURST", Default: "256", Type: Int(&r.Burst, 256, 1000000),
			Help: "allowed retries that are saved up while none are needed"},
		{Key: "max_in_flight", Env: "MAX_IN_FLIGHT", Default: "off", Type: IntOrOff(&b.InFlight, 1, 1e6),
			Help: "requests that are with backends at a time; above it 503"},
		{Key: "backend_max_in_flight", Env: "BACKEND_MAX_IN_FLIGHT", Default: "off", Type: IntOrOff(&b.BackendInFlight, 1, 1e6),
			Help: "requests that are with one backend at a time; others get what is beyond"},
		{Key: "queue", Env: "QUEUE", Default: "off", Type: IntOrOff(&b.Queue, 1, 1e5),
			Help: "requests that wait for a place among those in flight, first come, first served"},
	}
}

func (c *Config) health() []Setting {
	h := &c.Health
	return []Setting{
		{Key: "health.path", Env: "HEALTH_CHECK_PATH", Default: "/health", Type: healthPath(&h.Path),
			Help: "path probed on each backend, from its root"},
		{Key: "health.interval", Env: "HEALTH_CHECK_INTERVAL", Default: "10s", Type: Duration(&h.Interval),
			Help: "time from one probe of a backend to the next"},
		{Key: "health.timeout", Env: "HEALTH_CHECK_TIMEOUT", Type: Duration(&h.Timeout),
			DefaultNote: "the smaller of 2s and the interval",
			Help:        "time for one probe; at most the interval"},
		{Key: "health.jitter", Env: "HEALTH_CHECK_JITTER", Default: "10%", Type: Percent(&h.Jitter),
			Help: "how far an interval may be off, either way, so that probes spread out"},
		{Key: "health.expect_status", Env: "HEALTH_CHECK_EXPECT_STATUS", Default: "200", Type: Int(&h.ExpectStatus, 200, 599),
			Help: "status that a healthy backend answers a probe with"},
		{Key: "health.rise", Env: "HEALTH_CHECK_RISE", Default: "1", Type: Int(&h.Rise, 1, 1000),
			Help: "good probes in a row that bring a backend back"},
		{Key: "health.fall", Env: "HEALTH_CHECK_FALL", Default: "1", Type: Int(&h.Fall, 1, 1000),
			Help: "bad probes in a row that take a backend out"},
		{Key: "health.passive_fall", Env: "HEALTH_PASSIVE_FALL", Default: "1", Type: Int(&h.PassiveFall, 1, 1000),
			Help: "requests in a row failed by a backend that take it out"},
		{Key: "health.passive_on", Env: "HEALTH_PASSIVE_ON", Default: strings.Join(softOutcomes, ","),
			Type: Words(&c.PassiveOn, strings.Join(softOutcomes, ", ")+" or a status from 500 to 599", append(serverErrors(), softOutcomes...)...),
			Help: "outcomes of requests that count against a backend; that it cannot be reached always does"},
		{Key: "health.ejection", Env: "HEALTH_EJECTION", Default: "off", Type: DurationOrOff(&h.Ejection),
			Help: "time that a backend stays out at least after requests took it out; doubles each time it happens again"},
		{Key: "health.ejection_most", Env: "HEALTH_EJECTION_MOST", Default: "5m", Type: Duration(&h.EjectionMost),
			Help: "longest time of an ejection"},
	}
}

func (c *Config) timeouts() []Setting {
	t := &c.Timeouts
	return []Setting{
		{Key: "timeouts.dial", Env: "DIAL_TIMEOUT", Default: "2s", Type: Duration(&t.Dial),
			Help: "time to connect to a backend"},
		{Key: "timeouts.tls_handshake", Env: "TLS_HANDSHAKE_TIMEOUT", Default: "5s", Type: Duration(&t.TLSHandshake),
			Help: "time for the TLS handshake with a backend"},
		{Key: "timeouts.response_head", Env: "RESPONSE_HEAD_TIMEOUT", Default: "60s", Type: Duration(&t.ResponseHead),
			Help: "time from the end of a request to the backend's response head"},
		{Key: "timeouts.backend_body", Env: "BACKEND_BODY_TIMEOUT", Default: "5m", Type: Duration(&t.BackendBody),
			Help: "time without progress in a backend's response body"},
		{Key: "timeouts.backend_idle", Env: "BACKEND_IDLE_TIMEOUT", Default: "90s", Type: Duration(&t.BackendIdle),
			Help: "time an unused connection to a backend is kept"},
		{Key: "timeouts.expect_continue", Env: "EXPECT_CONTINUE_TIMEOUT", Default: "1s", Type: Duration(&t.ExpectContinue),
			Help: "time to wait for a backend's 100 Continue before the body is sent anyway"},
		{Key: "timeouts.client_head", Env: "CLIENT_HEAD_TIMEOUT", Default: "10s", Type: Duration(&t.ClientHead),
			Help: "time for a client to send a request head"},
		{Key: "timeouts.client_body", Env: "CLIENT_BODY_TIMEOUT", Default: "30s", Type: Duration(&t.ClientBody),
			Help: "time without progress in a client's request body"},
		{Key: "timeouts.client_idle", Env: "CLIENT_IDLE_TIMEOUT", Default: "75s", Type: Duration(&t.ClientIdle),
			Help: "time a client's connection may stay unused between requests"},
		{Key: "timeouts.write_stall", Env: "WRITE_STALL_TIMEOUT", Default: "60s", Type: Duration(&t.WriteStall),
			Help: "time a client or a backend may take nothing of what is sent to it"},
		{Key: "timeouts.tunnel_idle", Env: "TUNNEL_IDLE_TIMEOUT", Default: "1h", Type: Duration(&t.TunnelIdle),
			Help: "time an upgraded connection may be silent in both directions"},
		{Key: "timeouts.flush", Env: "FLUSH_INTERVAL", Default: "10ms", Type: Duration(&t.Flush),
			Help: "time an answer of known length may be held back; others are flushed at once"},
		{Key: "timeouts.queue", Env: "QUEUE_TIMEOUT", Default: "1s", Type: Duration(&t.Queue),
			Help: "time to wait for a place among the requests in flight"},
		{Key: "timeouts.attempt", Env: "ATTEMPT_TIMEOUT", Default: "off", Type: DurationOrOff(&t.Attempt),
			Help: "time for a backend to be connected to and to send a response head; what a client needs for its body does not count"},
		{Key: "timeouts.total", Env: "TOTAL_TIMEOUT", Default: "off", Type: DurationOrOff(&t.Total),
			Help: "time from a request head to the end of the response, whatever it is spent on; tunnels have none"},
	}
}

func (c *Config) limits() []Setting {
	l := &c.Limits
	return []Setting{
		{Key: "limits.connections", Env: "MAX_CONNECTIONS", Default: "off", Type: IntOrOff(&l.Conns, 1, 1e6),
			Help: "connections of clients at a time; more are reset at once"},
		{Key: "limits.connections_per_client", Env: "MAX_CONNECTIONS_PER_CLIENT", Default: "off", Type: IntOrOff(&l.ConnsPerClient, 1, 1e6),
			Help: "connections of one client's address, or of its IPv6 /64, at a time; more are reset at once"},
		{Key: "limits.header_bytes", Env: "MAX_HEADER_BYTES", Default: "32KiB", Type: Size(&l.HeaderBytes, 1<<10, 1<<20),
			Help: "size of a request head; above it 431"},
		{Key: "limits.header_lines", Env: "MAX_HEADER_LINES", Default: "128", Type: Int(&l.HeaderLines, 1, 10000),
			Help: "field lines of a request head; above it 431"},
		{Key: "limits.target_bytes", Env: "MAX_TARGET_BYTES", Default: "8KiB", Type: Size(&l.TargetBytes, 64, 1<<20),
			Help: "size of a request target; above it 414"},
		{Key: "limits.body_bytes", Env: "MAX_BODY_BYTES", Default: "0", Type: Size(&l.BodyBytes, 0, math.MaxInt64),
			Help: "size of a request body; above it 413; 0: no limit"},
		{Key: "limits.replay_bytes", Env: "REPLAY_BODY_BYTES", Default: "64KiB", Type: Size(&l.ReplayBytes, 0, 16<<20),
			Help: "part of a request body kept so that it can be sent again"},
		{Key: "limits.response_header_bytes", Env: "MAX_RESPONSE_HEADER_BYTES", Default: "64KiB", Type: Size(&l.ResponseHeaderBytes, 1<<10, 1<<20),
			Help: "size of a response head; above it 502"},
		{Key: "limits.informational", Env: "MAX_INFORMATIONAL", Default: "16", Type: Int(&l.Informational, 1, 1000),
			Help: "1xx responses to one request; above it 502"},
		{Key: "limits.idle_conns", Env: "BACKEND_IDLE_CONNS", Default: "1024", Type: Int(&l.IdleConns, 1, 1<<20),
			Help: "unused connections kept per backend"},
	}
}

func (c *Config) log() []Setting {
	return []Setting{
		{Key: "log.format", Env: "LOG_FORMAT", Default: "text", Type: OneOf(&c.Log.Format, "text", "json"),
			Help: "form of the log and of the access log"},
		{Key: "log.level", Env: "LOG_LEVEL", Default: "info", Type: OneOf(&c.Log.Level, "debug", "info", "warn", "error"),
			Help: "least important lines that are logged; debug shows every pick and probe"},
		{Key: "log.access", Env: "ACCESS_LOG", Default: "on", Type: Switch(&c.Log.Access),
			Help: "one line on stdout for each request"},
		{Key: "log.access_buffer", Env: "ACCESS_LOG_BUFFER", Default: "1MiB", Type: Size(&c.Log.AccessBuffer, 4<<10, 1<<30),
			Help: "access lines held while the output is slow; more are dropped, counted and reported"},
		{Key: "log.access_flush", Env: "ACCESS_LOG_FLUSH", Default: "200ms", Type: Duration(&c.Log.AccessFlush),
			Help: "longest time before an access line is written"},
		{Key: "log.query", Env: "LOG_QUERY", Default: "off", Type: Switch(&c.Log.Query),
			Help: "query strings appear in the logs"},
	}
}

func notEmpty(value string) error {
	if value == "" {
		return errors.New("is empty")
	}
	return nil
}

// softOutcomes are the names that package hop knows.
var softOutcomes = []string{"reset_before_response", "bad_response", "response_timeout", "truncated_by_backend", "backend_body_timeout", "attempt_timeout"}

// policies are the names that package pool knows.
var policies = []string{"round_robin", "weighted_round_robin", "least_connections", "power_of_two", "random", "consistent_hash"}

func healthPath(dst *string) Type {
	t := Text(dst, "a path from the root, such as /health or /ready?full=1", func(value string) error {
		if !strings.HasPrefix(value, "/") {
			return errors.New("does not begin with /")
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
			return errors.New("holds a blank, a control character or a #")
		}
		if u, err := url.Parse(value); err != nil || u.Host != "" {
			return errors.New("is not the path of a URL")
		}
		return nil
	})
	t.Hide = hideQuery
	t.JSON = Schema{"type": "string", "pattern": "^/"}
	return t
}
