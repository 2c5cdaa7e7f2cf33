package http1

import (
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	records "go-proxy/internal/exchange"
)

const (
	smallRequest = "GET /path?query HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
	smallAnswer  = "HTTP/1.1 200 OK\r\nServer: test\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"
	chunkAnswer  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, world!\r\n0\r\n\r\n"
)

// An exchange in steady state allocates nothing; the issue allows two.
func TestExchangeAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	for name, c := range map[string]struct{ request, answer string }{
		"small":  {smallRequest, smallAnswer},
		"chunks": {smallRequest, chunkAnswer},
		"body":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", smallAnswer},
		"close":  {smallRequest, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 2000
			r := quietRig(t, repeating(t, c.answer))
			ask := asking(t, r.addr, c.request)
			ask(n) // until all is warm
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ask(n)
			runtime.ReadMemStats(&after)
			require.Less(t, float64(after.Mallocs-before.Mallocs)/n, 0.5)
		})
	}
}

// quietRig keeps neither records nor a log.
func quietRig(t testing.TB, backend string) *rig {
	r := &rig{t: t, log: new(logBuffer)}
	c := testConfig(t, []string{backend})
	r.pool = testPool(c, nil)
	r.plane = New(r.pool, c, dialBackend, func(*records.Record) {}, slog.New(slog.DiscardHandler))
	r.serve(c)
	return r
}

func BenchmarkExchange(b *testing.B) {
	r := quietRig(b, repeating(b, smallAnswer))
	ask := asking(b, r.addr, smallRequest)
	ask(100)
	b.ReportAllocs()
	b.ResetTimer()
	ask(b.N)
}
