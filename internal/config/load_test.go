package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

func TestFlagWinsOverEnvironmentOverDefault(t *testing.T) {
	env := environment{"PROXY_LISTEN_ADDR": ":1"}
	require.Equal(t, ":9000", load(t, nil).Listen)
	require.Equal(t, ":1", load(t, env).Listen)
	require.Equal(t, ":2", load(t, env, "-listen", ":2").Listen)
	require.Equal(t, ":2", load(t, nil, "-listen", ":2").Listen)
}

func TestEmptyVariableCountsAsUnset(t *testing.T) {
	env := environment{}
	for _, s := range new(config.Config).Settings() {
		env[s.Env] = ""
	}
	require.Equal(t, load(t, nil), load(t, env))
}

func TestEmptyFlagIsAValue(t *testing.T) {
	ps := problems(t, environment{"PROXY_LISTEN_ADDR": ":1"}, "-listen=")
	require.Len(t, ps, 1)
	require.Equal(t, "flag -listen", ps[0].Source)
	require.Empty(t, ps[0].Value)
}

func TestFlagMayBeSpelledInFourWays(t *testing.T) {
	for _, args := range [][]string{{"-listen", ":1"}, {"-listen=:1"}, {"--listen", ":1"}, {"--listen=:1"}} {
		require.Equal(t, ":1", load(t, nil, args...).Listen, args)
	}
}

func TestLastOfARepeatedFlagWins(t *testing.T) {
	require.Equal(t, ":2", load(t, nil, "-listen=:1", "-listen", ":2").Listen)
}

func TestValueOfAFlagMayLookLikeAFlag(t *testing.T) {
	ps := problems(t, nil, "-listen", "-health-path", "-log-format=json")
	require.Len(t, ps, 1)
	require.Equal(t, "-health-path", ps[0].Value)
}

func TestOptionNeedsNoValue(t *testing.T) {
	for text, want := range map[string]bool{"": false, "-watch": true, "--watch": true, "-watch=on": true, "-watch=off": false} {
		watch, level := false, ""
		table := []config.Setting{
			{Key: "watch", Env: "WATCH", Default: "off", Type: config.Option(&watch)},
			{Key: "level", Env: "LEVEL", Type: config.Text(&level, "anything", nil)},
		}
		_, err := config.Load(table, strings.Fields(text+" -level x"), environment{}.get)
		require.NoError(t, err)
		require.Equal(t, want, watch, text)
		require.Equal(t, "x", level)
	}
}

func TestHelpIsAskedForInFourWays(t *testing.T) {
	for _, arg := range []string{"-h", "--h", "-help", "--help"} {
		_, err := config.Proxy([]string{"-listen", ":1", arg}, environment{}.get)
		require.ErrorIs(t, err, config.ErrHelp)
	}
}

func TestHelpWinsOverProblems(t *testing.T) {
	_, err := config.Proxy([]string{"-nope", "stray", "-listen=bad", "-h"}, environment{"LOG_LEVEL": "loud"}.get)
	require.ErrorIs(t, err, config.ErrHelp)
}

func TestOriginIsWhereTheValueInForceCameFrom(t *testing.T) {
	origins, err := config.Load(new(config.Config).Settings(), []string{"-log-level=warn"}, environment{
		"PROXY_LISTEN_ADDR": ":1", "LOG_LEVEL": "debug",
	}.get)
	require.NoError(t, err)
	require.Equal(t, config.Origin{Source: "default", Value: "text"}, origins["log.format"])
	require.Equal(t, config.Origin{Source: "environment variable PROXY_LISTEN_ADDR", Value: ":1"}, origins["listen"])
	require.Equal(t, config.Origin{Source: "flag -log-level", Value: "warn"}, origins["log.level"])
	require.NotContains(t, origins, "health.timeout", "it has neither value nor default")
}

func TestBadValueIsNoOrigin(t *testing.T) {
	origins, err := config.Load(new(config.Config).Settings(), []string{"-log-level=loud"}, environment{"LOG_LEVEL": "debug"}.get)
	require.Error(t, err)
	require.Equal(t, config.Origin{Source: "environment variable LOG_LEVEL", Value: "debug"}, origins["log.level"])
}

func TestBadValueChangesNothing(t *testing.T) {
	c := new(config.Config)
	_, err := config.Load(c.Settings(), []string{"-listen=bad", "-backends=bad", "-trusted-proxies=::1,bad"}, environment{}.get)
	require.Error(t, err)
	require.Equal(t, ":9000", c.Listen)
	require.Equal(t, []string{"http://localhost:8080"}, urls(c))
	require.Empty(t, c.TrustedProxies)
}

func TestSettingWithoutAVariableIsGivenByNone(t *testing.T) {
	var listen string
	table := []config.Setting{{Key: "listen", Default: ":1", Type: config.Address(&listen)}}
	_, err := config.Load(table, nil, func(string) string { return ":2" })
	require.NoError(t, err)
	require.Equal(t, ":1", listen)
}

func TestBadListOfAFileChangesNothing(t *testing.T) {
	c, err := config.Proxy([]string{"-config", written(t, `{"backends": ["http://a", 1], "trusted_proxies": ["::1", "x"]}`)}, environment{}.get)
	require.Error(t, err)
	require.Equal(t, []string{"http://localhost:8080"}, urls(c))
	require.Empty(t, c.TrustedProxies)
}

func FuzzArguments(f *testing.F) {
	f.Add("-listen", ":1", "-=", "stray")
	f.Add("-h", "", "--", "---x")
	f.Add("-nope", "-", "-listen=", "-log-level")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		args := []string{a, b, c, d}
		_, err := config.Proxy(args, environment{}.get)
		if ps, ok := err.(config.Problems); ok {
			require.LessOrEqual(t, len(ps), len(args), "an argument is one problem at most")
			for _, p := range ps {
				require.NotContains(t, p.Error(), "\n", "a problem is one line")
			}
		} else if err != nil {
			require.ErrorIs(t, err, config.ErrHelp)
		}
	})
}
