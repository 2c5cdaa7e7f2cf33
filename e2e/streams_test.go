package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// Of an answer that never ends by itself the client has what there is. An
// answer of known length could wait for an hour here; a stream may not.
func TestStreamsAreFlushedAtOnce(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("FLUSH_INTERVAL", "1h"))
		p := s.Dial()
		p.Send("GET /stream?chunked=on&size=2B&piece=1B&drip=1h HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, p.Head(), "\r\nTransfer-Encoding: chunked\r\n")
		require.Equal(t, "1\r\n0\r\n", p.Take(len("1\r\n0\r\n")))
		p.Close()
		require.Equal(t, "client_gone", s.Proxy.AwaitRecord("/stream")["cause"])
		require.Equal(t, "up", s.State(s.Backend(1)))
	})
}

func TestAnswerOfKnownLengthIsNotHeldBackLong(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1)) // FLUSH_INTERVAL is 10ms
		p := s.Dial()
		p.Send("GET /?size=2B&piece=1B&drip=1h HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, p.Head(), "\r\nContent-Length: 2\r\n")
		require.Equal(t, "0", p.Take(1))
	})
}

// The next event is sent when the one before has arrived, so none can travel
// on the back of another. What a busy machine adds shows on a second stream,
// without a proxy, and is allowed.
func TestServerSentEventsArriveWithin100Milliseconds(t *testing.T) {
	const events, limit = 100, 100 * time.Millisecond
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		feeds := map[string]chan string{"/through": make(chan string), "/direct": make(chan string)}
		addr := actor(t, func(p *testkit.Peer, head string) {
			p.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
			for event := range feeds[strings.Fields(head)[1]] {
				p.Sendf("%x\r\n%s\r\n", len(event), event)
			}
			p.Send("0\r\n\r\n")
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("FLUSH_INTERVAL", "1h"))
		end := sync.OnceFunc(func() {
			for _, feed := range feeds {
				close(feed)
			}
		})
		defer end()
		through, direct := eventsOf(t, s.Dial(), "/through"), eventsOf(t, testkit.Dial(t, addr), "/direct")
		for i := range events {
			event := fmt.Sprintf("data: %d\n\n", i)
			start := time.Now()
			feeds["/through"] <- event
			feeds["/direct"] <- event
			require.Equal(t, event, direct())
			machine := time.Since(start)
			require.Equal(t, event, through())
			require.Less(t, time.Since(start), limit+machine, "event %d", i)
		}
		end()
		require.Empty(t, through(), "and the stream ends when the backend's does")
		require.Equal(t, "200", s.Proxy.AwaitRecord("/through")["status"])
	})
}

// eventsOf asks for a stream, and returns what reads its next event.
func eventsOf(t *testing.T, p *testkit.Peer, path string) (next func() string) {
	t.Helper()
	p.Sendf("GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", path)
	response, err := http.ReadResponse(p.R, nil)
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewReader(response.Body)
	return func() string {
		data, _ := lines.ReadString('\n')
		end, _ := lines.ReadString('\n')
		return data + end
	}
}
