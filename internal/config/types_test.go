package config_test

import (
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// reads sets every value and compares what was stored.
func reads[V any](t *testing.T, newType func(*V) config.Type, values map[string]V) {
	t.Helper()
	for text, want := range values {
		var got V
		require.NoError(t, newType(&got).Set(text), "%q", text)
		require.Equal(t, want, got, "%q", text)
	}
}

func TestTextTakesAnythingUnlessChecked(t *testing.T) {
	anything := func(dst *string) config.Type { return config.Text(dst, "anything", nil) }
	reads(t, anything, map[string]string{"": "", " a\x00": " a\x00"})
}

func TestAddressTakesAnyHostAndPort(t *testing.T) {
	reads(t, config.Address, map[string]string{
		":9000": ":9000", ":0": ":0", ":65535": ":65535", "localhost:80": "localhost:80", "127.0.0.1:1": "127.0.0.1:1", "[::1]:80": "[::1]:80",
	})
}

func TestDurationTakesWhatGoTakes(t *testing.T) {
	reads(t, config.Duration, map[string]time.Duration{
		"1ns": 1, "10s": 10 * time.Second, "1m30s": 90 * time.Second, "1.5h": 90 * time.Minute, "+1s": time.Second,
	})
}

func TestIntTakesItsBounds(t *testing.T) {
	oneToThousand := func(dst *int) config.Type { return config.Int(dst, 1, 1000) }
	reads(t, oneToThousand, map[string]int{"1": 1, "1000": 1000, "+7": 7, "007": 7})
}

func TestPercentIsStoredAsAFraction(t *testing.T) {
	reads(t, config.Percent, map[string]float64{"0%": 0, "10%": 0.1, "12.5%": 0.125, "50%": 0.5})
}

func TestPercentIsShownAsItWasGiven(t *testing.T) {
	var share float64
	percent := config.Percent(&share)
	for _, text := range []string{"0%", "7%", "10%", "12.5%", "0.1%", "33.333333333333%", "0.000000001%", "50%"} {
		require.NoError(t, percent.Set(text))
		require.Equal(t, text, percent.Get())
	}
	require.NoError(t, percent.Set("1e-30%"))
	require.Equal(t, "1e-30%", percent.Get())
}

func TestDurationIsShownWithoutZeros(t *testing.T) {
	var d time.Duration
	duration := config.Duration(&d)
	for given, shown := range map[string]string{"3600s": "1h", "60s": "1m", "90s": "1m30s", "3605s": "1h0m5s", "1.5h": "1h30m", "100h": "100h",
		"20m": "20m", "10s": "10s", "1500us": "1.5ms", "1us": "1µs"} {
		require.NoError(t, duration.Set(given))
		require.Equal(t, shown, duration.Get())
	}
}

func TestABoundIsStoredAsAMultiple(t *testing.T) {
	reads(t, config.Bound, map[string]float64{"101%": 1.01, "125%": 1.25, "1000%": 10, "off": 0})
	bound := 1.25
	require.NoError(t, config.Bound(&bound).Set("off"))
	require.Zero(t, bound)
}

func TestADurationMayBeOff(t *testing.T) {
	reads(t, config.DurationOrOff, map[string]time.Duration{"30s": 30 * time.Second, "off": 0})
}

func TestAnIntMayBeOff(t *testing.T) {
	upToAMillion := func(dst *int) config.Type { return config.IntOrOff(dst, 1, 1e6) }
	reads(t, upToAMillion, map[string]int{"1": 1, "1000000": 1e6, "off": 0})
}

func TestHashKeyIsAPartOfARequest(t *testing.T) {
	for text, want := range map[string]config.HashKey{
		"client_address":      {Part: config.KeyClientAddress},
		"path":                {Part: config.KeyPath},
		"header:x-user":       {Part: config.KeyHeader, Name: "X-User"},
		"header:HOST":         {Part: config.KeyHeader, Name: "Host"},
		"cookie:session":      {Part: config.KeyCookie, Name: "session"},
		"cookie:__Host-S.x":   {Part: config.KeyCookie, Name: "__Host-S.x"},
		"query:user":          {Part: config.KeyQuery, Name: "user"},
		"query:filter[a:b]~1": {Part: config.KeyQuery, Name: "filter[a:b]~1"},
	} {
		c := load(t, nil, "-policy=consistent_hash", "-hash-key", text)
		require.Equal(t, want, c.Balancing.HashKey)
		require.Equal(t, want, load(t, nil, "-policy=consistent_hash", "-hash-key", want.String()).Balancing.HashKey)
	}
}

func TestSizeTakesUnits(t *testing.T) {
	anySize := func(dst *int64) config.Type { return config.Size(dst, 0, math.MaxInt64) }
	reads(t, anySize, map[string]int64{
		"0": 0, "1": 1, "1B": 1, "1KiB": 1 << 10, "64KiB": 64 << 10, "3MiB": 3 << 20, "2GiB": 2 << 30,
		"9223372036854775807": math.MaxInt64, "8589934591GiB": 8589934591 << 30,
	})
}

func TestSizeTakesItsBounds(t *testing.T) {
	upToMiB := func(dst *int64) config.Type { return config.Size(dst, 1<<10, 1<<20) }
	reads(t, upToMiB, map[string]int64{"1024": 1 << 10, "1KiB": 1 << 10, "1MiB": 1 << 20, "1024KiB": 1 << 20})
}

func TestSizeNamesItsBoundsInWholeUnits(t *testing.T) {
	for valid, s := range map[string]config.Type{
		"a size from 0 to 9223372036854775807, such as 64KiB or 1MiB": config.Size(nil, 0, math.MaxInt64),
		"a size from 64 to 1MiB, such as 64KiB or 1MiB":               config.Size(nil, 64, 1<<20),
		"a size from 1025 to 1536KiB, such as 64KiB or 1MiB":          config.Size(nil, 1025, 1536<<10),
		"a size from 4KiB to 1GiB, such as 64KiB or 1MiB":             config.Size(nil, 4<<10, 1<<30),
	} {
		require.Equal(t, valid, s.Valid)
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"1", "64KiB", "-9223372036854775807KiB", "9007199254740992KiB", "8589934592GiB", "+1B", "B", ""} {
		f.Add(seed)
	}
	units := map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "B": 1}
	f.Fuzz(func(t *testing.T, value string) {
		var got int64
		if config.Size(&got, 0, math.MaxInt64).Set(value) != nil {
			return
		}
		unit := int64(1)
		for suffix, bytes := range units {
			if number, found := strings.CutSuffix(value, suffix); found && (suffix != "B" || !strings.HasSuffix(number, "i")) {
				value, unit = number, bytes
				break
			}
		}
		want, ok := new(big.Int).SetString(value, 10)
		require.True(t, ok, "%q", value)
		require.Equal(t, want.Mul(want, big.NewInt(unit)).String(), big.NewInt(got).String())
	})
}

func TestSwitchIsOnOrOff(t *testing.T) {
	reads(t, config.Switch, map[string]bool{"on": true, "off": false})
	on := true
	require.NoError(t, config.Switch(&on).Set("off"))
	require.False(t, on)
}

func TestOneOfTakesItsNamesOnly(t *testing.T) {
	level := func(dst *string) config.Type { return config.OneOf(dst, "debug", "info", "warn") }
	reads(t, level, map[string]string{"debug": "debug", "info": "info", "warn": "warn"})
	require.Equal(t, "debug, info or warn", level(nil).Valid)
}

func TestPrefixesAreNetworksAndAddresses(t *testing.T) {
	prefixes := func(texts ...string) (ps []netip.Prefix) {
		for _, text := range texts {
			ps = append(ps, netip.MustParsePrefix(text))
		}
		return ps
	}
	reads(t, config.Prefixes, map[string][]netip.Prefix{
		"":                            nil,
		" , ":                         nil,
		"10.0.0.0/8":                  prefixes("10.0.0.0/8"),
		"10.1.2.3/8":                  prefixes("10.0.0.0/8"),
		"::ffff:10.0.0.0/104":         prefixes("10.0.0.0/8"),
		"::ffff:10.0.0.1":             prefixes("10.0.0.1/32"),
		"192.0.2.1":                   prefixes("192.0.2.1/32"),
		"::1":                         prefixes("::1/128"),
		" 10.0.0.0/8 ,, ::1,fc00::/7": prefixes("10.0.0.0/8", "::1/128", "fc00::/7"),
		"0.0.0.0/0,::/0":              prefixes("0.0.0.0/0", "::/0"),
	})
}

func TestHealthPathMayHaveAQuery(t *testing.T) {
	for _, path := range []string{"/", "/health", "/ready?full=1", "/a%20b", "/a//b", "/ü"} {
		require.Equal(t, path, load(t, nil, "-health-path", path).Health.Path)
	}
}
