package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBackendIsNotTheProxyItself(t *testing.T) {
	for listen, own := range map[string][]string{
		":9000":          {"http://localhost:9000", "http://127.0.0.1:9000/x", "http://127.1.2.3:9000", "http://[::1]:9000", "https://LOCALHOST:9000", "http://[::ffff:127.0.0.1]:9000"},
		"0.0.0.0:9000":   {"http://localhost:9000", "http://127.0.0.1:9000"},
		"[::]:80":        {"http://localhost", "http://127.0.0.1"},
		":443":           {"https://localhost"},
		"127.0.0.1:9000": {"http://127.0.0.1:9000", "http://localhost:9000"},
		"10.0.0.1:9000":  {"http://10.0.0.1:9000"},
		"proxy:9000":     {"http://proxy:9000"},
	} {
		for _, backend := range own {
			ps := problems(t, nil, "-listen", listen, "-backends", "http://a,"+backend)
			require.Len(t, ps, 1, backend)
			require.Equal(t, "backends", ps[0].Key)
			require.ErrorContains(t, ps[0].Err, ` is the proxy itself: listen is `+listen+` (flag -listen)`)
		}
	}
	for listen, others := range map[string]string{
		":9000":          "http://localhost:9001,http://a:9000,http://10.0.0.1:9000,https://localhost",
		"127.0.0.1:9000": "http://127.0.0.2:9000,http://a:9000",
		"10.0.0.1:9000":  "http://localhost:9000,http://127.0.0.1:9000",
		":0":             "http://localhost",
	} {
		load(t, nil, "-listen", listen, "-backends", others)
	}
}

func TestTargetIsNotLargerThanItsHead(t *testing.T) {
	ps := problems(t, environment{"MAX_TARGET_BYTES": "64KiB"})
	require.Len(t, ps, 1)
	require.Equal(t, "environment variable MAX_TARGET_BYTES", ps[0].Source)
	require.EqualError(t, ps[0].Err, "larger than limits.header_bytes, which is 32KiB (default)")
	load(t, environment{"MAX_HEADER_BYTES": "1KiB"}) // the target's default need not fit
	load(t, environment{"MAX_HEADER_BYTES": "64KiB", "MAX_TARGET_BYTES": "64KiB"})
}

func TestWatchingNeedsAFile(t *testing.T) {
	ps := problems(t, nil, "-watch")
	require.Len(t, ps, 1)
	require.EqualError(t, ps[0], `watch: flag -watch: "on": there is no file to be watched; valid: a file named by -config`)
	require.True(t, load(t, nil, "-watch", "-config", written(t, `{}`)).Watch)
	require.Len(t, problems(t, nil, "-watch", "-config", "nowhere"), 1)
	require.False(t, load(t, nil).Watch)
}

func TestNothingIsGivenToAPolicyThatDoesNotUseIt(t *testing.T) {
	for _, policy := range []string{"weighted_round_robin", "least_connections", "power_of_two", "random", "consistent_hash"} {
		args := []string{"-policy", policy, "-slow-start=30s", "-config", written(t, `{"backends": [{"url": "http://a", "weight": 256}, "http://b"]}`)}
		c := load(t, nil, args...)
		require.Equal(t, policy, c.Balancing.Policy)
		require.Equal(t, 256, c.Backends[0].Weight)
		require.Equal(t, 1, c.Backends[1].Weight)
		args = append(args, "-hash-key=path", "-hash-bound=150%")
		if policy == "consistent_hash" {
			load(t, nil, args...)
			continue
		}
		require.Len(t, problems(t, nil, args...), 2, policy)
	}
	ps := problems(t, nil, "-slow-start=30s")
	require.Len(t, ps, 1)
	require.EqualError(t, ps[0].Err, "it is not used by policy round_robin (default)")
	load(t, nil, "-slow-start=off")
}

func TestWhatHasAProblemIsNotComparedWithOthers(t *testing.T) {
	require.Len(t, problems(t, environment{"MAX_TARGET_BYTES": "64KiB", "MAX_HEADER_BYTES": "x"}), 1)
	require.Len(t, problems(t, nil, "-config", written(t, `{"limits": {"target_bytes": "64KiB", "header_bytes": true}}`)), 1)
	require.Len(t, problems(t, nil, "-config", written(t, `{"listen": ":8080", "backends": ["http://localhost:8080", 1]}`)), 1)
	require.Len(t, problems(t, nil, "-config", written(t, `{"health": {"timeout": "20s", "interval": 1}}`)), 1)
	timeout := environment{"HEALTH_CHECK_TIMEOUT": "20s"}
	for _, text := range []string{`{"health": {"interval": "30s"}`, `{"health": {"intervall": "30s"}}`} {
		require.Len(t, problems(t, timeout, "-config", written(t, text)), 1, "what the file should say is not known")
	}
	require.Len(t, problems(t, timeout, "-config", "nowhere"), 1)
}
