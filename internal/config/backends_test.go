package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// urls are the backends of a configuration.
func urls(c *config.Config) []string {
	var texts []string
	for _, b := range c.Backends {
		texts = append(texts, b.URL.String())
	}
	return texts
}

func TestBackendIsNormalised(t *testing.T) {
	for given, want := range map[string]string{
		"http://a:1":                    "http://a:1",
		"http://a:80":                   "http://a",
		"http://a:443":                  "http://a:443",
		"https://a:443":                 "https://a",
		"https://a:80":                  "https://a:80",
		"http://a":                      "http://a",
		"http://a:":                     "http://a",
		"http://a:080":                  "http://a",
		"https://a":                     "https://a",
		"HTTP://LocalHost:8080/":        "http://localhost:8080",
		"http://127.0.0.1:65535":        "http://127.0.0.1:65535",
		"http://[::1]":                  "http://[::1]",
		"https://[2001:DB8::1]:8443/v1": "https://[2001:db8::1]:8443/v1",
		"http://[fe80::1%25eth0]:80":    "http://[fe80::1%25eth0]",
		"http://a/prefix":               "http://a/prefix",
		"http://a/Prefix/":              "http://a/Prefix",
		"http://a/a%2Fb//":              "http://a/a%2Fb",
		"http://a/:@;=":                 "http://a/:@;=",
	} {
		require.Equal(t, []string{want}, urls(load(t, nil, "-backends", given)), given)
	}
}

func TestBlanksBetweenBackendsAreIgnored(t *testing.T) {
	c := load(t, nil, "-backends", " http://b:1 ,, \thttp://a:1\n, ,https://a:1,")
	require.Equal(t, []string{"http://b:1", "http://a:1", "https://a:1"}, urls(c), "in the order given")
}

func TestBackendsThatDifferInPathOrSchemeOrPortAreDifferent(t *testing.T) {
	c := load(t, nil, "-backends", "http://a,https://a,http://a:81,http://a/x,http://a/X")
	require.Len(t, c.Backends, 5)
}

func TestBackendTwiceIsAnErrorHoweverItIsSpelled(t *testing.T) {
	for _, other := range []string{"http://a", "http://a/", "http://a:80", "HTTP://A:80//", "http://a:", "http://a:080", " http://a "} {
		ps := problems(t, nil, "-backends", "http://a,http://b,"+other)
		require.Len(t, ps, 1, other)
		require.ErrorContains(t, ps[0].Err, "is there twice")
	}
}

var badBackends = []string{
	"", ",", " , ",
	"localhost:8080", "localhost", "//localhost:8080", "/path", "ftp://a", "unix:///run/a.sock", "http:a", ":8080", "127.0.0.1:8080",
	"http://", "http:///path", "http://:80", "http://[]:80",
	"http://user@a", "http://user:password@a", "http://@a",
	"http://a?", "http://a/?x=1", "http://a#", "http://a/#f",
	"http://a:0", "http://a:65536", "http://a:http", "http://a:-1", "http://a:99999999999999999999",
	"http://a b", "http://a\x00", "http://a/%zz", "http://a/b c", "http://a/ %2C", "http://a/ü", "http://a//b", "http://[::1", "http://::1:80",
	"http://a,http://A:80/", "http://a,http://a,ftp://b",
}

func FuzzBackend(f *testing.F) {
	for _, seed := range append(badBackends, "http://a/a%2Fb//", "https://[fe80::1%25eth0]:443/x", "http://[::1]", "HTTP://A") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var first, again []config.Backend
		if config.Backends(&first).Set(value) != nil {
			return
		}
		require.NotEmpty(t, first)
		for _, b := range first {
			text := b.URL.String()
			require.Contains(t, []string{"http", "https"}, b.URL.Scheme)
			require.NotEmpty(t, b.URL.Hostname())
			require.NoError(t, config.Backends(&again).Set(text), "the normal form is valid")
			require.Equal(t, text, again[0].URL.String(), "the normal form is its own")
		}
	})
}
