package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// inFlight sends a request head and waits until a backend was picked for it.
func inFlight(s *stack.Stack, method, target, rest string) *testkit.Peer {
	p := s.Dial()
	p.Sendf("%s %s HTTP/1.1\r\nHost: proxy\r\n%s", method, target, rest)
	path, _, _ := strings.Cut(target, "?")
	s.Proxy.AwaitLog(`msg=picked .* path=` + path + `\n`)
	return p
}

// requireRefused waits until the proxy takes no new connection. The engine's
// own port may still do, and then nobody answers.
func requireNewConnectionsRefused(t *testing.T, s *stack.Stack) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", s.Proxy.Addr, stack.Patience)
		if err != nil {
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		defer conn.Close()
		if s.Mode != stack.Containers {
			return false
		}
		_ = conn.SetDeadline(time.Now().Add(stack.Patience))
		_, _ = io.WriteString(conn, "GET /refused HTTP/1.1\r\nHost: proxy\r\n\r\n")
		n, err := conn.Read(make([]byte, 1))
		return n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
	}, stack.Patience, 10*time.Millisecond, "new connections must be refused")
}

// After SIGTERM everything in flight ends as if nothing were, and the program
// with it, long before it would have to cut. Who has asked for nothing is not
// waited for.
func TestShutdownLetsAllInFlightEnd(t *testing.T) {
	const content = 128 << 10
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("SHUTDOWN_TIMEOUT", "10m")) // much more than the test's patience
		idle := s.Dial()
		idle.Send("GET /idle HTTP/1.1\r\nHost: proxy\r\n\r\n")
		response, _ := idle.Response("GET")
		require.False(t, response.Close, "kept alive")
		silent, half := s.Dial(), s.Dial()
		half.Send("GET /half HTTP/1.1\r\n")
		upload := inFlight(s, "POST", "/upload?size=7", "Content-Length: 131072\r\n\r\n"+strings.Repeat("u", content/2))
		// More than fits on the way to one who does not read yet.
		download := inFlight(s, "GET", "/download?size=32MiB", "\r\n")
		// Takes a second, so that it is still under way later.
		stream := inFlight(s, "GET", "/stream?size=100&drip=100ms&chunked=on", "\r\n")
		// The last to end. With a container its network goes, and with that what
		// a client has not read yet.
		last := inFlight(s, "GET", "/last?fault=hang", "\r\n")

		s.Proxy.Signal(syscall.SIGTERM)
		rest, err := idle.Rest()
		require.NoError(t, err)
		require.Empty(t, rest, "an idle connection ends")
		requireNewConnectionsRefused(t, s)
		upload.Send(strings.Repeat("u", content/2))

		response, body := upload.Response("POST")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Len(t, body, 7)
		require.True(t, response.Close, "Connection: close")
		response, body = download.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Len(t, body, 32<<20)
		response, body = stream.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Len(t, body, 100)
		for _, p := range []*testkit.Peer{upload, download, stream} {
			rest, err := p.Rest()
			require.NoError(t, err)
			require.Empty(t, rest)
		}
		last.Close()
		require.Zero(t, s.Proxy.Exit())
		silent.AwaitEnd()
		half.AwaitEnd()
		for path, sizes := range map[string][2]string{"/upload": {"131072", "7"}, "/download": {"0", "33554432"}, "/stream": {"0", "100"}} {
			record := s.Proxy.AwaitRecord(path)
			require.Equal(t, "200", record["status"], path)
			require.Equal(t, "-", record["cause"], path)
			require.Equal(t, sizes, [2]string{record["received"], record["sent"]}, path)
		}
		s.Proxy.AwaitLog(`msg=stopped\n`)
	})
}

// talkative is a backend with server-sent events and a tunnel that echoes. Each
// event is sent when the test says so; the stream ends with events.
func talkative(t *testing.T) (url string, events chan string) {
	events = make(chan string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for event := range events {
				_, _ = io.WriteString(w, "data: "+event+"\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		case "/tunnel":
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(conn, buffered)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, events
}

func readLine(r *bufio.Reader) string {
	line, _ := r.ReadString('\n')
	return line
}

const upgradeFields = "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"

func TestShutdownLetsEventStreamsAndTunnelsEnd(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		url, events := talkative(t)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(url), stack.With("SHUTDOWN_TIMEOUT", "10m"))
		stream := inFlight(s, "GET", "/events", "Connection: close\r\n\r\n")
		events <- "before"
		response, err := http.ReadResponse(stream.R, nil)
		require.NoError(t, err)
		received := bufio.NewReader(response.Body)
		require.Equal(t, "data: before\n\n", readLine(received)+readLine(received))
		tunnel := inFlight(s, "GET", "/tunnel", upgradeFields)
		require.Contains(t, tunnel.Head(), "101 Switching Protocols")

		s.Proxy.Signal(syscall.SIGINT)
		requireNewConnectionsRefused(t, s)
		events <- "after"
		close(events)
		rest, err := io.ReadAll(received)
		require.NoError(t, err)
		require.Equal(t, "data: after\n\n", string(rest))
		tunnel.Send("still here")
		require.Equal(t, "still here", tunnel.Take(len("still here")))
		tunnel.CloseWrite()
		late, err := tunnel.Rest()
		require.NoError(t, err)
		require.Empty(t, late)
		require.Zero(t, s.Proxy.Exit())
		require.Equal(t, "-", s.Proxy.AwaitRecord("/events")["cause"])
		require.Equal(t, "-", s.Proxy.AwaitRecord("/tunnel")["cause"])
	})
}

// What has not ended in time is cut, counted, and told apart in the log.
func TestShutdownCutsWhatDoesNotEndInTime(t *testing.T) {
	const grace = 300 * time.Millisecond
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("SHUTDOWN_TIMEOUT", grace.String()))
		paths := []string{"/upload", "/download", "/waiting"}
		peers := []*testkit.Peer{
			inFlight(s, "POST", "/upload", "Content-Length: 2\r\n\r\nu"),
			inFlight(s, "GET", "/download?size=1MiB&drip=1h", "\r\n"),
			inFlight(s, "GET", "/waiting?fault=hang", "\r\n"),
		}
		requireConnectionCut(t, s, grace, paths, peers)
	})
}

func TestShutdownCutsEventStreamsAndTunnels(t *testing.T) {
	const grace = 300 * time.Millisecond
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		url, events := talkative(t)
		defer close(events)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(url), stack.With("SHUTDOWN_TIMEOUT", grace.String()))
		peers := []*testkit.Peer{inFlight(s, "GET", "/events", "\r\n"), inFlight(s, "GET", "/tunnel", upgradeFields)}
		events <- "begun"
		require.Contains(t, peers[1].Head(), "101 Switching Protocols")
		requireConnectionCut(t, s, grace, []string{"/events", "/tunnel"}, peers)
	})
}

func requireConnectionCut(t *testing.T, s *stack.Stack, grace time.Duration, paths []string, peers []*testkit.Peer) {
	begin := time.Now()
	s.Proxy.Signal(syscall.SIGTERM)
	require.Equal(t, 1, s.Proxy.Exit())
	require.GreaterOrEqual(t, time.Since(begin), grace, "they had their time")
	for _, p := range peers {
		p.AwaitEnd()
	}
	s.Proxy.AwaitLog(`level=ERROR msg=stopped error="connections that had not ended in time were cut: ` + strconv.Itoa(len(peers)) + `"`)
	for _, path := range paths {
		require.Equal(t, "shutdown", s.Proxy.AwaitRecord(path)["cause"], path)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.With("SHUTDOWN_TIMEOUT", "10m"))
		p := inFlight(s, "GET", "/waiting?fault=hang", "\r\n")
		s.Proxy.Signal(syscall.SIGTERM)
		requireNewConnectionsRefused(t, s)
		s.Proxy.Signal(syscall.SIGINT)
		require.Equal(t, 1, s.Proxy.Exit())
		p.AwaitEnd()
		s.Proxy.AwaitLog(`level=ERROR msg=stopped error="connections that had not ended in time were cut: 1"`)
		require.Equal(t, "shutdown", s.Proxy.AwaitRecord("/waiting")["cause"])
	})
}

func TestAddressThatCannotBeBoundEndsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		addr, why := taken.Addr().String(), "address already in use"
		if mode == stack.Containers { // where nobody else can have taken one
			addr, why = "192.0.2.1:9000", "cannot assign requested address"
		}
		ended := stack.RunProgram(t, mode, "reverse_proxy", map[string]string{"PROXY_LISTEN_ADDR": addr})
		require.Equal(t, 1, ended.Code)
		require.Empty(t, ended.Stdout)
		require.Regexp(t, `^time=\S+ level=ERROR msg=stopped error="listen on `+addr+`: listen tcp `+addr+`: bind: `+why+`"\n$`, ended.Stderr)
	})
}

func TestBadSettingsAreAllListedAndNothingStarts(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		ended := stack.RunProgram(t, mode, "reverse_proxy", map[string]string{
			"PROXY_LISTEN_ADDR":     "nowhere",
			"TARGET_BACKEND_URLS":   "ftp://x,http://a,http://a",
			"HEALTH_CHECK_INTERVAL": "soon",
			"LOG_FORMAT":            "xml",
		}, "-health-rise", "0", "-what")
		require.Equal(t, 2, ended.Code)
		require.Empty(t, ended.Stdout)
		for _, name := range []string{"PROXY_LISTEN_ADDR", "TARGET_BACKEND_URLS", "HEALTH_CHECK_INTERVAL", "LOG_FORMAT", "-health-rise", "-what"} {
			require.Contains(t, ended.Stderr, name)
		}
		require.Equal(t, 6, strings.Count(ended.Stderr, "\n"), ended.Stderr)
	})
}
