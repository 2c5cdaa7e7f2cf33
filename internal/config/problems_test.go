package config_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// Each golden file is the text that an operator sees.
func TestProblemsAreToldInFull(t *testing.T) {
	tests := map[string]struct {
		env  environment
		args []string
	}{
		"unknown-flag":                 {args: []string{"-nope=1", "--nope"}},
		"unknown-flag-with-value":      {args: []string{"-nope", "1", "-listen", ":1"}},
		"flag-without-value":           {args: []string{"-log-format", "json", "-listen"}},
		"stray-argument":               {args: []string{"stray", "-listen=:1", "", "-", "-log-level=info", "http://a"}},
		"no-flag-at-all":               {args: []string{"-=", "--=x", "---listen=:1"}},
		"no-flag-behind-a-flag":        {args: []string{"-listen", ":1", "-=", "-nope", "-=", "-log-format=json", "---"}},
		"behind-double-dash":           {args: []string{"-log-format=json", "--", "-listen"}},
		"health-timeout-too-long":      {env: environment{"HEALTH_CHECK_INTERVAL": "1s"}, args: []string{"-health-timeout", "1.5s"}},
		"half-close-with-nethttp":      {env: environment{"HALF_CLOSE": "on", "PROXY_PLANE": "nethttp"}},
		"environment-and-flag-bad":     {env: environment{"LOG_LEVEL": "loud"}, args: []string{"-log-level=silent"}},
		"flag-good-environment-bad":    {env: environment{"LOG_LEVEL": "loud"}, args: []string{"-log-level=warn"}},
		"control-bytes-in-the-value":   {env: environment{"PROXY_LISTEN_ADDR": "a\nlisten: all is well\x1b[2J"}},
		"everything-from-everywhere":   {env: everythingWrong, args: []string{"-nope", "-listen=9000", "stray", "-health-timeout=11s", "-="}},
		"several-backends-at-a-time":   {args: []string{"-backends", "http://a, ftp://b, http://A:80/, //c, http://d"}},
		"list-without-backend-in-it":   {env: environment{"TARGET_BACKEND_URLS": " , ,"}},
		"trusted-proxies-two-are-none": {env: environment{"TRUSTED_PROXIES": "10.0.0.0/8, 10.0.0.0/33, localhost"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			golden(t, "problems/"+name, problems(t, test.env, test.args...).Error()+"\n")
		})
	}
}

var everythingWrong = environment{
	"TARGET_BACKEND_URLS": "localhost:8080",
	"MAX_HEADER_BYTES":    "1B",
	"HEALTH_CHECK_JITTER": "10",
	"ACCESS_LOG":          "yes",
}

func TestEveryRowRefusesABadValue(t *testing.T) {
	table := new(config.Config).Settings()
	args := []string{}
	for _, s := range table {
		args = append(args, "-"+s.Flag()+"=not this")
	}
	ps := problems(t, nil, args...)
	require.Len(t, ps, len(table))
	for i, p := range ps {
		require.Equal(t, table[i].Key, p.Key, "problems come in the order of the table")
		require.Equal(t, "flag -"+table[i].Flag(), p.Source)
		require.Equal(t, "not this", p.Value)
		require.Equal(t, table[i].Valid, p.Valid)
		require.Error(t, p.Err)
	}
	golden(t, "every-row", ps.Error()+"\n")
}

func TestEveryProblemIsOneLine(t *testing.T) {
	env := environment{}
	for _, s := range new(config.Config).Settings() {
		env[s.Env] = "a\nb\r\x00c,\nd"
	}
	ps := problems(t, env)
	require.Len(t, strings.Split(ps.Error(), "\n"), len(ps))
}

func TestEveryTypeTellsWhatIsWrong(t *testing.T) {
	var (
		text     string
		duration time.Duration
		number   int
		share    float64
		size     int64
		on       bool
		nets     []netip.Prefix
		backends []config.Backend
	)
	tests := map[string]struct {
		config.Type
		bad []string
	}{
		"address": {config.Address(&text), []string{"", "9000", "localhost", ":", ":http", ":65536", ":-1", ":0x1", "::1:80",
			"[::1]", "http://localhost:9000", ":80:90"}},
		"duration": {config.Duration(&duration), []string{"", "10", "0", "0s", "-1s", "1 s", "1d", "soon", "10,5s", "9223372036854775808ns"}},
		"int":      {config.Int(&number, 1, 1000), []string{"", "0", "1001", "-1", "1.5", "1e2", "0x10", " 1", "1_0", "one", "99999999999999999999"}},
		"percent":  {config.Percent(&share), []string{"", "%", "10", "0.1", "10 %", "-1%", "50.1%", "NaN%", "Inf%", "ten%", "10%%"}},
		"size": {config.Size(&size, 1<<10, 1<<20), []string{"", "KiB", "1023", "1023B", "1048577", "2MiB", "1GiB", "-1KiB", "1.5MiB", "64 KiB",
			"64kib", "64KB", "64K", "0x400", "1_024", "9223372036854775807GiB", "-9223372036854775807KiB", "-9007199254740991KiB"}},
		"switch":          {config.Switch(&on), []string{"", "On", "true", "1", "yes", "on "}},
		"one-of":          {config.OneOf(&text, "text", "json"), []string{"", "xml", "JSON", "text,json", " text"}},
		"prefixes":        {config.Prefixes(&nets), []string{"localhost", "10.0.0.0/33", "10.0.0/8", "::1/129", "/8", "10.0.0.1:80", "fe80::1%eth0/64", "10.0.0.1 10.0.0.2", "::1,x,y"}},
		"backends":        {config.Backends(&backends), badBackends},
		"bound":           {config.Bound(&share), []string{"", "100%", "1001%", "125", "1.25", "Off", "-125%"}},
		"int-or-off":      {config.IntOrOff(&number, 1, 1e6), []string{"", "0", "1000001", "-1", "1e6", "Off"}},
		"duration-or-off": {config.DurationOrOff(&duration), []string{"", "0", "0s", "on", "OFF", "-1s"}},
		"hash-key": {row("hash_key"), []string{"", "client", "address", "path:x", "client_address:", "header", "header:", "header:a b", "header:a:b",
			"cookie", "cookie:", "cookie:a;b", "cookie:ä", "query", "query:", "query:a=b", "query:a&b", "query:a#b", "query:a b", "query:ä", "host:x"}},
		"health-path": {row("health.path"), []string{"", "health", "http://a/health", "//a/health", "/a b", "/a\tb", "/a\nb", "/a\x00b", "/a\x7fb",
			"/a#b", "/%zz", "/a%"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var told strings.Builder
			for _, value := range test.bad {
				table := []config.Setting{{Key: "key", Env: "KEY", Type: test.Type}}
				_, err := config.Load(table, []string{"-key=" + value}, environment{}.get)
				require.Error(t, err, "%q", value)
				told.WriteString(err.Error() + "\n")
			}
			golden(t, "types/"+name, told.String())
		})
	}
}

// row is the type of a row of the proxy's table.
func row(key string) config.Type {
	for _, s := range new(config.Config).Settings() {
		if s.Key == key {
			return s.Type
		}
	}
	panic("no row " + key)
}
