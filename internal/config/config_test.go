package config_test

import (
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// environment is what getenv sees.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// load is a configuration without problems.
func load(t *testing.T, env environment, args ...string) *config.Config {
	t.Helper()
	c, err := config.Proxy(args, env.get)
	require.NoError(t, err)
	return c
}

// problems are what is wrong with a configuration.
func problems(t *testing.T, env environment, args ...string) config.Problems {
	t.Helper()
	_, err := config.Proxy(args, env.get)
	var ps config.Problems
	require.ErrorAs(t, err, &ps)
	return ps
}

func TestDefaultsAreTheContracts(t *testing.T) {
	backend, err := url.Parse("http://localhost:8080")
	require.NoError(t, err)
	want := &config.Config{
		Plane:    "http1",
		Listen:   ":9000",
		Backends: []config.Backend{{URL: backend, Weight: 1}},
		Resolve:  config.Resolve{Mode: "one", Interval: 30 * time.Second},
		Balancing: config.Balancing{
			Policy: "round_robin", HashKey: config.HashKey{Part: config.KeyClientAddress},
		},
		Retries:   config.Retries{Share: 0.2, Rate: 10, Burst: 256},
		PassiveOn: []string{"reset_before_response", "bad_response", "response_timeout", "truncated_by_backend", "backend_body_timeout", "attempt_timeout"},
		Health: config.Health{
			Path: "/health", Interval: 10 * time.Second, Timeout: 2 * time.Second, Jitter: 0.1,
			ExpectStatus: 200, Rise: 1, Fall: 1, PassiveFall: 1, EjectionMost: 5 * time.Minute,
		},
		Timeouts: config.Timeouts{
			Dial: 2 * time.Second, TLSHandshake: 5 * time.Second, ResponseHead: 60 * time.Second,
			BackendBody: 5 * time.Minute, BackendIdle: 90 * time.Second, ExpectContinue: time.Second,
			ClientHead: 10 * time.Second, ClientBody: 30 * time.Second, ClientIdle: 75 * time.Second,
			WriteStall: 60 * time.Second, TunnelIdle: time.Hour, Flush: 10 * time.Millisecond, Queue: time.Second,
		},
		Limits: config.Limits{
			HeaderBytes: 32 << 10, HeaderLines: 128, TargetBytes: 8 << 10, BodyBytes: 0, ReplayBytes: 64 << 10,
			ResponseHeaderBytes: 64 << 10, Informational: 16, IdleConns: 1024,
		},
		Shutdown: 30 * time.Second,
		Log: config.Log{
			Format: "text", Level: "info", Access: true,
			AccessBuffer: 1 << 20, AccessFlush: 200 * time.Millisecond, Query: false,
		},
	}
	require.Equal(t, want, load(t, nil))
}

// The names that the README this project began with promised, and those that
// the contract added.
func TestContractsVariablesReachTheirSettings(t *testing.T) {
	c := load(t, environment{
		"PROXY_LISTEN_ADDR":     "127.0.0.1:1",
		"TARGET_BACKEND_URLS":   "http://a:1",
		"HEALTH_CHECK_PATH":     "/ready",
		"HEALTH_CHECK_INTERVAL": "3s",
		"HEALTH_CHECK_TIMEOUT":  "1s",
		"SHUTDOWN_TIMEOUT":      "4s",
		"LOG_FORMAT":            "json",
		"LOG_LEVEL":             "debug",
		"ACCESS_LOG":            "off",
	})
	require.Equal(t, "127.0.0.1:1", c.Listen)
	require.Equal(t, []string{"http://a:1"}, urls(c))
	require.Equal(t, "/ready", c.Health.Path)
	require.Equal(t, 3*time.Second, c.Health.Interval)
	require.Equal(t, time.Second, c.Health.Timeout)
	require.Equal(t, 4*time.Second, c.Shutdown)
	require.Equal(t, "json", c.Log.Format)
	require.Equal(t, "debug", c.Log.Level)
	require.False(t, c.Log.Access)
}

func TestHealthTimeoutDefaultsToTheSmallerOfTwoSecondsAndTheInterval(t *testing.T) {
	tests := map[string]struct{ interval, timeout time.Duration }{
		"long interval":  {time.Minute, 2 * time.Second},
		"just above":     {2*time.Second + 1, 2 * time.Second},
		"equal":          {2 * time.Second, 2 * time.Second},
		"just below":     {2*time.Second - 1, 2*time.Second - 1},
		"short interval": {50 * time.Millisecond, 50 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := load(t, nil, "-health-interval", test.interval.String())
			require.Equal(t, test.timeout, c.Health.Timeout)
		})
	}
}

func TestHealthTimeoutMayBeTheInterval(t *testing.T) {
	c := load(t, nil, "-health-interval=5s", "-health-timeout=5s")
	require.Equal(t, 5*time.Second, c.Health.Timeout)
}

func TestHealthTimeoutAboveTheIntervalIsAProblemOfItsSource(t *testing.T) {
	for source, ps := range map[string]config.Problems{
		"environment variable HEALTH_CHECK_TIMEOUT": problems(t, environment{"HEALTH_CHECK_TIMEOUT": "10.1s"}),
		"flag -health-timeout":                      problems(t, nil, "-health-timeout=10.1s"),
	} {
		require.Len(t, ps, 1)
		require.Equal(t, "health.timeout", ps[0].Key)
		require.Equal(t, source, ps[0].Source)
		require.Equal(t, "10.1s", ps[0].Value)
		require.EqualError(t, ps[0].Err, "longer than health.interval, which is 10s (default)")
	}
}

// What does not go together is not judged by values that are not in force.
func TestHealthTimeoutIsComparedWithValidValuesOnly(t *testing.T) {
	tests := map[string]struct {
		env  environment
		args []string
		key  string
	}{
		"bad interval": {environment{"HEALTH_CHECK_TIMEOUT": "20s"}, []string{"-health-interval=soon"}, "health.interval"},
		"bad timeout":  {environment{"HEALTH_CHECK_TIMEOUT": "20s"}, []string{"-health-timeout=soon"}, "health.timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ps := problems(t, test.env, test.args...)
			require.Len(t, ps, 1)
			require.Equal(t, test.key, ps[0].Key)
			require.Equal(t, "soon", ps[0].Value)
		})
	}
}

func TestNoLimitOnBodiesIsZeroAndTheLargestIsAnyNumber(t *testing.T) {
	require.EqualValues(t, 0, load(t, nil, "-limits-body-bytes=0").Limits.BodyBytes)
	require.EqualValues(t, int64(math.MaxInt64), load(t, nil, "-limits-body-bytes=9223372036854775807").Limits.BodyBytes)
}
