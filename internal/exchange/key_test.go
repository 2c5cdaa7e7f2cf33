package exchange_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// held is a request of a plane that holds its fields as S. Addresses that begin
// with 10. are trusted.
type held[S hop.Text] struct {
	peer  string
	lines map[string][]S
}

func (h *held[S]) Line(name string, n int) (value S, found bool) {
	if lines := h.lines[name]; n < len(lines) {
		return lines[n], true
	}
	return value, false
}

func (h *held[S]) Peer() string               { return h.peer }
func (h *held[S]) Trusts(address string) bool { return strings.HasPrefix(address, "10.") }

func TestKeyIsTheSameWhateverHoldsTheRequest(t *testing.T) {
	for _, c := range []struct {
		name          string
		part          config.KeyPart
		of            string
		target, peer  string
		field         string
		lines, wanted string
	}{
		{"path", config.KeyPath, "", "/a?b", "", "", "", "/a"},
		{"no path", config.KeyPath, "", "http://x?b", "", "", "", "/"},
		{"parameter", config.KeyQuery, "u", "/?a=0&u=1", "", "", "", "1"},
		{"no parameter", config.KeyQuery, "u", "/", "", "", "", ""},
		{"field", config.KeyHeader, "X-User", "/", "", "X-User", "ann|bob", "ann"},
		{"no field", config.KeyHeader, "X-User", "/", "", "X-Users", "ann", ""},
		{"cookie", config.KeyCookie, "s", "/", "", "Cookie", "a=0|s=|b=0; s=1", "1"},
		{"no cookie", config.KeyCookie, "s", "/", "", "Cookie", "a=0|b=1", ""},
		{"client", config.KeyClientAddress, "", "/", "192.0.2.1", "X-Forwarded-For", "198.51.100.1", "192.0.2.1"},
		{"behind proxies", config.KeyClientAddress, "", "/", "10.0.0.1", "X-Forwarded-For", "203.0.113.1,198.51.100.1|, 10.0.0.2,", "198.51.100.1"},
		{"only proxies", config.KeyClientAddress, "", "/", "10.0.0.1", "X-Forwarded-For", "10.0.0.3|10.0.0.2", "10.0.0.3"},
		{"proxies that say nothing", config.KeyClientAddress, "", "/", "10.0.0.1", "X-Forwarded-For", ",|", "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := &held[string]{c.peer, map[string][]string{c.field: strings.Split(c.lines, "|")}}
			bytes := &held[[]byte]{c.peer, map[string][][]byte{}}
			for _, line := range text.lines[c.field] {
				bytes.lines[c.field] = append(bytes.lines[c.field], []byte(line))
			}
			var r exchange.Record
			exchange.SetRequest(&r, c.peer+":1", "GET", c.target)
			key := config.HashKey{Part: c.part, Name: c.of}
			require.Equal(t, hop.Hash(c.wanted), exchange.Key(&r, key, text))
			require.Equal(t, hop.Hash(c.wanted), exchange.Key(&r, key, bytes))
			require.Zero(t, testing.AllocsPerRun(100, func() { exchange.Key(&r, key, text) }))
			if c.peer == "" || !text.Trusts(c.peer) {
				require.Zero(t, testing.AllocsPerRun(100, func() { exchange.Key(&r, key, bytes) }))
			}
		})
	}
}
