package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

func TestChangedNamesTheSettingsWithOtherValues(t *testing.T) {
	before := load(t, environment{"TARGET_BACKEND_URLS": "http://a,http://b", "MAX_BODY_BYTES": "1KiB"})
	for name, c := range map[string]struct {
		env  environment
		want []string
	}{
		"nothing":         {environment{"TARGET_BACKEND_URLS": "http://a,http://b", "MAX_BODY_BYTES": "1KiB"}, nil},
		"other spellings": {environment{"TARGET_BACKEND_URLS": " HTTP://A:80/ , http://b", "MAX_BODY_BYTES": "1024", "HEALTH_CHECK_TIMEOUT": "2000ms"}, nil},
		"the order":       {environment{"TARGET_BACKEND_URLS": "http://b,http://a", "MAX_BODY_BYTES": "1KiB"}, []string{"backends"}},
		"some":            {environment{"TARGET_BACKEND_URLS": "http://a,http://b", "LOG_QUERY": "on", "TRUSTED_PROXIES": "10.0.0.0/8"}, []string{"trusted_proxies", "limits.body_bytes", "log.query"}},
		"one by another":  {environment{"TARGET_BACKEND_URLS": "http://a,http://b", "MAX_BODY_BYTES": "1KiB", "HEALTH_CHECK_INTERVAL": "1s"}, []string{"health.interval", "health.timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, config.Changed(before, load(t, c.env)))
		})
	}
}

func TestChangedSeesWeightsAndRoles(t *testing.T) {
	with := func(backend string) *config.Config {
		return load(t, environment{"LB_POLICY": "random"}, "-config", written(t, `{"backends": [`+backend+`]}`))
	}
	before := with(`"http://a"`)
	before.File = ""
	for backend, want := range map[string][]string{
		`{"url": "http://a"}`:                               nil,
		`{"url": "http://a", "weight": 1, "backup": false}`: nil,
		`{"url": "http://a", "weight": 2}`:                  {"backends"},
		`{"url": "http://a", "backup": true}`:               {"backends"},
	} {
		after := with(backend)
		after.File = ""
		require.Equal(t, want, config.Changed(before, after), backend)
	}
}
