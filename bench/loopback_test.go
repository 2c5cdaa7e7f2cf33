package bench

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkLoopback is the whole way over real sockets: client, proxy, backend
// and back, all in this process. What allocates is the proxy alone.
func BenchmarkLoopback(b *testing.B) {
	for _, connections := range []int{1, 64, 500} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			exchange(b, startProxy(b, startBackend(b)), get("/"), connections)
		})
	}
}

// BenchmarkBody is that with bodies of some size, down and up.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("down/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			exchange(b, startProxy(b, startBackend(b)), get(fmt.Sprint("/bytes/", size)), 16)
		})
		b.Run(fmt.Sprintf("up/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			exchange(b, startProxy(b, startBackend(b)), post("/", size), 16)
		})
	}
}

// BenchmarkOverhead sets the proxy beside no proxy at all, and beside the bare
// httputil.ReverseProxy, tuned as ours is.
func BenchmarkOverhead(b *testing.B) {
	const connections = 64
	b.Run("direct", func(b *testing.B) { exchange(b, startBackend(b), get("/"), connections) })
	b.Run("httputil", func(b *testing.B) {
		backend := startBackend(b)
		exchange(b, serve(b, proxyConfig(b, backend), bareProxy(b, backend)), get("/"), connections)
	})
	b.Run("proxy", func(b *testing.B) { exchange(b, startProxy(b, startBackend(b)), get("/"), connections) })
}

// bareProxy forwards and does nothing else.
func bareProxy(b *testing.B, backend string) http.Handler {
	target := &url.URL{Scheme: "http", Host: backend}
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	buffers := &bufferPool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport: transport, BufferPool: buffers,
	}
}

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte    { return b.pool.Get().(*[32 << 10]byte)[:] }
func (b *bufferPool) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }

// exchange makes the exchanges over as many connections at once, each of which
// has been used before.
func exchange(b *testing.B, addr, request string, connections int) {
	b.Helper()
	turns := make(chan struct{}, connections)
	var running sync.WaitGroup
	for range connections {
		c := dial(b, addr, request)
		require.NoError(b, c.ask())
		running.Go(func() {
			for range turns {
				if err := c.ask(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		turns <- struct{}{}
	}
	b.StopTimer() // what is still under way is at most one exchange a connection
	close(turns)
	running.Wait()
}
