package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
)

// names are those of a browser's request, as net/http writes them.
var names = []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Cookie", "Referer",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Upgrade-Insecure-Requests", "User-Agent", "X-Forwarded-For"}

const (
	connection = "keep-alive, X-Nominated"
	value      = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
	target     = "/products/1234/reviews?page=2&sort=newest"
)

// kept counts the fields that may pass: the rules for one request.
func kept() (n int) {
	for _, name := range names {
		if !hop.IsHopByHop(name) && !hop.IsForwarding(name) && !hop.HasName(connection, name) {
			n++
		}
	}
	return n
}

// sound reports whether fields and target may be passed on as they are.
func sound() bool {
	for _, name := range names {
		if !hop.ValidName(name) || !hop.ValidValue(value) {
			return false
		}
	}
	_, ok := hop.Target("GET", target)
	return ok
}

func BenchmarkHeaderRules(b *testing.B) {
	b.Run("kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			kept()
		}
	})
	b.Run("sound", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sound()
		}
	})
}

func TestHeaderRulesAllocateNothing(t *testing.T) {
	require.Equal(t, len(names)-2, kept())
	require.True(t, sound())
	require.Zero(t, testing.AllocsPerRun(1000, func() { kept() }))
	require.Zero(t, testing.AllocsPerRun(1000, func() { sound() }))
}
