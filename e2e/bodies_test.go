package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/backendserver"
)

const (
	bigBody   = 64 << 20
	bigMemory = 64 << 20 // of the whole proxy, with four such bodies under way
)

// digestOf is the checksum of all that r has.
func digestOf(t *testing.T, r io.Reader) (digest string, size int64) {
	hash := sha256.New()
	size, err := io.Copy(hash, r)
	assert.NoError(t, err)
	return hex.EncodeToString(hash.Sum(nil)), size
}

// Two bodies in each direction at a time, of known and of unknown length. The
// memory is that of the program as it is shipped.
func TestBigBodiesPassWholeAndAreNeverHeldWhole(t *testing.T) {
	want, _ := digestOf(t, backendserver.Content(bigBody))
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.Shipped())
		var all sync.WaitGroup
		all.Go(func() { upload(t, s, want, bigBody) })
		all.Go(func() { upload(t, s, want, -1) })
		all.Go(func() { download(t, s, want, "/?size=64MiB") })
		all.Go(func() { download(t, s, want, "/?size=64MiB&chunked=on") })
		all.Wait()
		if mode != stack.InProcess { // there it is also the test's memory
			peak := s.Proxy.PeakMemory()
			require.Less(t, peak, int64(bigMemory))
			t.Logf("at most %d KiB", peak>>10)
		}
	})
}

// Readers that take next to nothing hold little of the proxy's memory: what is
// under way to them waits at the backend.
func TestSlowReadersOfBigAnswersCostLittle(t *testing.T) {
	const readers = 1000
	most := map[stack.Plane]int64{stack.HTTP1: 100 << 20, stack.NetHTTP: 150 << 20}
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.Shipped(), stack.With("LOG_LEVEL", "info"))
		for range readers {
			client := s.Dial()
			client.Send("GET /?size=64MiB HTTP/1.1\r\nHost: x\r\n\r\n")
			require.Contains(t, client.Head(), " 200 OK\r\n")
		}
		peak, pipes := s.Proxy.PeakMemory(), s.Proxy.InPipes()
		require.Less(t, peak+pipes, most[stack.PlaneOf(t)])
		t.Logf("at most %d KiB, and %d in pipes", peak>>10, pipes>>10)
	})
}

func upload(t *testing.T, s *stack.Stack, want string, length int64) {
	ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "POST", s.URL("/"), io.NopCloser(backendserver.Content(bigBody)))
	assert.NoError(t, err)
	request.ContentLength = length
	request.Header.Set("Accept", "application/json")
	response, err := s.Client().Do(request)
	if !assert.NoError(t, err) {
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	assert.NoError(t, err)
	echo := parseEcho(t, string(text))
	assert.Equal(t, length, echo.ContentLength)
	assert.EqualValues(t, bigBody, echo.Body.Bytes)
	assert.Equal(t, want, echo.Body.SHA256)
}

func download(t *testing.T, s *stack.Stack, want, path string) {
	ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.URL(path), nil)
	assert.NoError(t, err)
	response, err := s.Client().Do(request)
	if !assert.NoError(t, err) {
		return
	}
	defer response.Body.Close()
	got, size := digestOf(t, response.Body)
	assert.EqualValues(t, bigBody, size)
	assert.Equal(t, want, got)
}
