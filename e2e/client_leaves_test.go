package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// aSecond is what a backend may wait to learn that a client has left.
const aSecond = time.Second

// leaving is a client that goes away in the middle of something.
type leaving struct {
	name   string
	begin  string // a request, or a part of one
	answer string // of the backend, a part of one
	status string // in the record
}

var leavings = []leaving{
	{name: "before the head", begin: "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n", status: "499"},
	{name: "in an upload", begin: "POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", status: "499"},
	{name: "in a chunked upload", begin: "POST /gone HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n4\r\nhalf\r\n", status: "499"},
	{name: "in a chunk of an upload", begin: "POST /gone HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n8\r\nhalf", status: "499"},
	{name: "in a download", begin: "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n",
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", status: "200"},
	{name: "in a chunked download", begin: "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n",
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", status: "200"},
	{name: "in an upload and a download", begin: "POST /gone HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n4\r\nhalf\r\n",
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", status: "200"},
}

// How a client leaves: in order, or by a crash.
var goodbyes = map[string]func(*testkit.Peer){
	"FIN": func(p *testkit.Peer) { p.Close() },
	"RST": func(p *testkit.Peer) { p.Reset() },
}

// abandoned is a backend that reads a head, gives a part of an answer and waits
// for more of the request. It tells what it has got, when the connection ends.
type abandoned struct {
	addr    string
	reached chan bool
	ended   chan string
}

func newAbandoned(t testing.TB, answer string) *abandoned {
	b := &abandoned{reached: make(chan bool, 1), ended: make(chan string, 1)}
	b.addr = testkit.Script(t, func(p *testkit.Peer) {
		head := p.Head()
		if head == "" {
			return
		}
		if strings.HasPrefix(head, "GET /health ") {
			p.Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			return
		}
		p.Send(answer)
		tell(b.reached, true)
		rest, _ := p.Rest()
		tell(b.ended, head+rest)
	})
	return b
}

// The client is gone: its backend learns so within a second, never takes what
// it has for all, and is not blamed.
func TestBackendIsToldWithinASecondThatAClientHasLeft(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for _, c := range leavings {
			for how, leave := range goodbyes {
				t.Run(c.name+", "+how, func(t *testing.T) {
					b := newAbandoned(t, c.answer)
					s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never))
					client := s.Dial()
					client.Send(c.begin)
					told(t, b.reached)
					if c.answer != "" {
						client.Head()
						client.Take(len("half"))
					}
					start := time.Now()
					leave(client)
					got := told(t, b.ended)
					require.Less(t, time.Since(start), aSecond)
					require.False(t, strings.HasSuffix(got, lastChunk), "it must not look complete: %q", got)
					require.LessOrEqual(t, strings.Count(got, "half"), 1)
					requireLeft(t, s, "/gone", c.status)
					require.Zero(t, s.Changes(s.Peer(b.addr), "down"))
				})
			}
		}
	})
}

func requireLeft(t testing.TB, s *stack.Stack, path, status string) {
	t.Helper()
	record := s.Proxy.AwaitRecord(path)
	require.Equal(t, "client_gone", record["cause"])
	require.Equal(t, status, record["status"])
	require.Equal(t, "client_gone@"+record["backend"], record["attempts"])
}

// A FIN may mean that a client has gone, or only that it has said everything.
func TestHalfClosedClientIsServedIfThatIsAskedFor(t *testing.T) {
	const beforeItIsMissed, afterwards = "1ms", "700ms"
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("PROXY_PLANE", "http1"), stack.With("HALF_CLOSE", "on"))
		for _, delay := range []string{beforeItIsMissed, afterwards} {
			client := s.Dial()
			client.Sendf("GET /?size=3&delay=%s HTTP/1.1\r\nHost: x\r\n\r\n", delay)
			client.CloseWrite()
			rest, err := client.Rest()
			require.NoError(t, err)
			require.True(t, strings.HasSuffix(rest, "\r\n\r\n012"), rest)
		}
		gone := s.Dial()
		gone.Send("GET /gone?fault=hang HTTP/1.1\r\nHost: x\r\n\r\n")
		s.Proxy.AwaitLog(`msg=picked .* path=/gone`)
		gone.Reset()
		requireLeft(t, s, "/gone", "499")
	})
}

// The same with real backends and, where there is one, a real network: the
// clients leave while the backends hang, take an upload, and send a download.
func TestClientThatLeavesCostsNoBackend(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", never))
		for how, leave := range goodbyes {
			for range 3 { // each backend sees each
				hang := s.Dial()
				hang.Sendf("GET /hang-%s?fault=hang HTTP/1.1\r\nHost: x\r\n\r\n", how)
				s.Proxy.AwaitLog(`msg=picked .* path=/hang-` + how)
				upload := s.Dial()
				upload.Sendf("POST /upload-%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf", how)
				s.Proxy.AwaitLog(`msg=picked .* path=/upload-` + how)
				download := s.Dial()
				download.Sendf("GET /download-%s?size=1GiB HTTP/1.1\r\nHost: x\r\n\r\n", how)
				require.Contains(t, download.Head(), " 200 OK\r\n")
				download.Take(100000)
				for _, client := range []*testkit.Peer{hang, upload, download} {
					leave(client)
				}
			}
			requireLeft(t, s, "/hang-"+how, "499")
			requireLeft(t, s, "/upload-"+how, "499")
			requireLeft(t, s, "/download-"+how, "200")
		}
		require.Equal(t, stack.Shares(4, s.Backends...), s.Spread(12))
		for _, b := range s.Backends {
			require.Zero(t, s.Changes(b, "down"))
		}
	})
}
