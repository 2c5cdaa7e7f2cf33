package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// filed are the options for a proxy with a file of these backends, by number
// from 1, and other keys.
func filed(others string, numbers ...int) stack.Option {
	return stack.WithFile(func(urls []string) string {
		var wanted []string
		for _, n := range numbers {
			wanted = append(wanted, urls[n-1])
		}
		return fileOf(others, wanted...)
	})
}

// fileOf is a file with the backends, and other keys.
func fileOf(others string, urls ...string) string {
	return `{"backends": [` + listed(urls) + `], ` + others + `}`
}

// with is fileOf for backends of a stack.
func with(others string, backends ...*stack.Backend) string {
	var urls []string
	for _, b := range backends {
		urls = append(urls, b.URL())
	}
	return fileOf(others, urls...)
}

func TestReloadAddsAndRemovesBackends(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1, 2))
		a, b, c := s.Backend(1), s.Backend(2), s.Backend(3)
		require.Equal(t, stack.Shares(10, a, b), s.Spread(20))
		said := s.Reload(with(`"limits": {"target_bytes": "100B"}`, c, b))
		require.Contains(t, said, `level=INFO msg="configuration reloaded" changed="[backends limits.target_bytes]" added=[`+c.URL()+`] removed=[`+a.URL()+`] kept=[`+b.URL()+"]\n")
		s.AwaitUp(c)
		require.Equal(t, stack.Shares(10, b, c), s.Spread(20))
		require.Equal(t, 1, s.Changes(b, "up"), "it was up all the time")
		require.Equal(t, http.StatusRequestURITooLong, s.Get("/"+strings.Repeat("x", 100)).StatusCode)
	})
}

// When none of those that are up stays, they go when the new ones have been
// probed: there is no moment with nobody to answer.
func TestReloadMayReplaceAllBackends(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1), stack.With("LOG_LEVEL", "info"))
		load := s.Load(100, "")
		for i := range 10 {
			next := s.Backend(1 + (i+1)%3)
			said := s.Reload(with("", next))
			require.Contains(t, said, ` added=[`+next.URL()+`] removed=[`+s.Backend(1+i%3).URL()+"] kept=[]\n")
			require.Equal(t, stack.Shares(5, next), s.Spread(5))
		}
		for _, shot := range load.Stop() {
			require.True(t, shot.Good(), "%+v", shot)
		}
	})
}

func TestAddedBackendGetsNothingBeforeItsFirstProbe(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		health := `"health": {"interval": "2s", "timeout": "2s"}`
		s := stack.New(t, mode, stack.With("HEALTH_CHECK_INTERVAL", ""), filed(health, 1))
		a, b := s.Backend(1), s.Backend(2)
		b.Health("hang")
		s.Reload(with(health, a, b))
		require.Equal(t, stack.Shares(20, a), s.Spread(20))
		b.Health("up")
		s.AwaitUp(b)
		require.Equal(t, stack.Shares(10, a, b), s.Spread(20))
	})
}

func TestBadFileChangesNothing(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed(`"limits": {"body_bytes": "1KiB"}`, 1, 2, 3))
		said := s.Reload(`{
			"backends": ["ftp://x"],
			"limits": {"body_bytes": "1GiB", "header_lines": -1},
			"helth": {}
		}`)
		require.Contains(t, said, `level=ERROR msg="configuration refused; nothing has changed" problems=3`+"\n")
		for _, place := range []string{"2:17: backends:", "3:53: limits.header_lines:", `4:4: unknown key \"helth\"`} {
			s.Proxy.AwaitLog(`level=ERROR msg="problem with the configuration" problem="\S+/proxy.json:` + strings.ReplaceAll(place, `\`, `\\`))
		}
		for _, half := range []string{"", "{", `{"backends": [`} {
			require.Contains(t, s.Reload(half), "nothing has changed")
		}
		require.Equal(t, stack.Shares(10, s.Backends...), s.Spread(30))
		require.Equal(t, http.StatusRequestEntityTooLarge, s.Do("POST", "/", strings.NewReader(strings.Repeat("x", 1025))).StatusCode)
		require.Contains(t, s.Reload(with("", s.Backends...)), `changed=[limits.body_bytes] added=[] removed=[]`, "and the next good one is taken")
	})
}

func TestSameFileIsLeftAlone(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1, 2, 3))
		said := s.Reload("// nothing new\n" + with("", s.Backends...))
		require.Contains(t, said, `level=INFO msg="configuration is unchanged"`+"\n")
		require.Equal(t, stack.Shares(1, s.Backends...), s.Spread(3))
	})
}

func TestSettingsThatNeedARestartAreNamedAndTheRestIsApplied(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1))
		said := s.Reload(with(`"timeouts": {"client_idle": "9s"}, "limits": {"body_bytes": "1KiB"}`, s.Backend(1)))
		require.Contains(t, said, ` changed=[limits.body_bytes] `)
		s.Proxy.AwaitLog(`level=WARN msg="settings need a restart" settings=\[timeouts.client_idle\]\n`)
		require.Equal(t, http.StatusRequestEntityTooLarge, s.Do("POST", "/", strings.NewReader(strings.Repeat("x", 1025))).StatusCode)
	})
}

// What is known of a backend that stays, and what it is doing, stays with it.
func TestStateAndInFlightRequestsSurviveReloads(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, filed("", 1, 2))
		a, b, c := s.Backend(1), s.Backend(2), s.Backend(3)
		b.Health("down")
		s.AwaitDown(b)
		busy := []*testkit.Peer{inFlight(s, "GET", "/1?delay=1s", "\r\n"), inFlight(s, "GET", "/2?fault=hang", "\r\n"), inFlight(s, "GET", "/3?fault=hang", "\r\n")}
		for range 5 {
			s.Reload(with(`"timeouts": {"response_head": "70s"}`, a, b, c))
			s.Reload(with("", b, a))
		}
		response, _ := busy[0].Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, stack.Shares(10, a), s.Spread(10), "the other one is still down")
		require.Equal(t, []int{1, 1}, []int{s.Changes(b, "up"), s.Changes(b, "down")}, "and was so all the time")
		require.Equal(t, 1, s.Changes(a, "up"))

		s.Reload(with(`"shutdown_timeout": "100ms"`, b, c))
		s.Proxy.AwaitLog(`level=WARN msg="requests to a removed backend were cut" backend=` + a.URL() + ` requests=2\n`)
	})
}

// Requests in flight may end within the shutdown timeout. What is still there
// then is cut, which is neither the backend's fault nor the client's.
func TestRemovedBackendsDrain(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		const grace = `"shutdown_timeout": "1500ms"`
		s := stack.New(t, mode, filed("", 1))
		ends, hangs := inFlight(s, "GET", "/ends?delay=500ms", "\r\n"), inFlight(s, "GET", "/hangs?fault=hang", "\r\n")
		streams := inFlight(s, "GET", "/streams?size=1MiB&drip=1h", "\r\n")
		removed := time.Now()
		s.Reload(with(grace, s.Backend(2)))
		s.AwaitUp(s.Backend(2))
		require.Equal(t, stack.Shares(10, s.Backend(2)), s.Spread(10))
		response, _ := ends.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		response, body := hangs.Response("GET")
		require.GreaterOrEqual(t, time.Since(removed), 1500*time.Millisecond, "it had its time")
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.Equal(t, "503 Service Unavailable: backend_removed\n", body)
		streams.AwaitEnd()
		s.Proxy.AwaitLog(`level=WARN msg="requests to a removed backend were cut" backend=` + s.Backend(1).URL() + ` requests=2\n`)
		for path, cause := range map[string]string{"/ends": "-", "/hangs": "backend_removed", "/streams": "backend_removed"} {
			require.Equal(t, cause, s.Proxy.AwaitRecord(path)["cause"], path)
		}
		require.Zero(t, s.Changes(s.Backend(1), "down"))
	})
}

func TestListenAddressChangesLive(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		at := func(addr string) string { return fmt.Sprintf(`"listen": %q`, addr) }
		s := stack.New(t, mode, stack.With("PROXY_LISTEN_ADDR", ""), filed(at("127.0.0.1:0"), 1))
		taken := httptest.NewServer(nil)
		addr := taken.Listener.Addr().String()
		said := s.Reload(with(at(addr), s.Backend(2)))
		require.Regexp(t, `level=ERROR msg="configuration refused; nothing has changed" error="listen on `+addr+`: .*: address already in use"`, said)
		require.Equal(t, stack.Shares(3, s.Backend(1)), s.Spread(3), "nor is the rest applied")
		taken.Close()

		kept := s.Dial()
		kept.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
		kept.Response("GET")
		busy := inFlight(s, "GET", "/2?delay=300ms", "\r\n")
		require.Contains(t, s.Reload(with(at(addr), s.Backend(1))), ` changed=[listen] `)
		requireNewConnectionsRefused(t, s)
		s.Proxy.Addr = addr
		require.Equal(t, stack.Shares(3, s.Backend(1)), s.Spread(3))
		response, _ := busy.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode)
		kept.Send("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
		response, _ = kept.Response("GET")
		require.Equal(t, http.StatusOK, response.StatusCode, "who was connected stays")
	})
}

// everything is a backend that answers requests and echoes on WebSockets.
func everything(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			talk(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// 100 reloads under 500 requests a second: backends come, go and come back,
// settings change, and no request fails. WebSockets stay, too, and those of
// backends that are gone.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	const reloads = 100
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		var peers []string
		if mode != stack.Containers { // which cannot dial this host
			peers = []string{everything(t), everything(t)}
		}
		options := []stack.Option{stack.WithBackends(4 - len(peers)), stack.WithPeers(peers...),
			stack.With("LOG_LEVEL", "info"), stack.With("SHUTDOWN_TIMEOUT", "10m"),
			stack.With("HEALTH_CHECK_INTERVAL", "10s"), stack.With("HEALTH_CHECK_TIMEOUT", "10s"), // a busy machine answers late
			filed("", 1, 2, 3, 4)}
		s := stack.New(t, mode, options...)
		all := append([]string(nil), peers...)
		for _, b := range s.Backends {
			all = append(all, b.URL())
		}
		ctx, cancel := context.WithTimeout(context.Background(), 4*stack.Patience) // of all reloads together
		defer cancel()
		var chats []*websocket.Conn
		for i := 0; peers != nil && i < 8; i++ { // of the two that have none a request is an ordinary one
			conn, _, err := websocket.Dial(ctx, s.URL("/chat"), &websocket.DialOptions{Subprotocols: []string{"chat"}})
			if err != nil {
				continue
			}
			t.Cleanup(func() { conn.CloseNow() })
			requireMessage(t, ctx, conn, websocket.MessageText, []byte("welcome"))
			chats = append(chats, conn)
		}
		require.Len(t, chats, 2*len(peers))

		load := s.Load(500, "")
		begin := time.Now()
		for i := range reloads {
			wanted := all
			if gone := i % 5; gone < 4 { // each is gone for a while, and back
				wanted = append(append([]string(nil), all[:gone]...), all[gone+1:]...)
			}
			// Now and then a setting changes that replaces all connections.
			others := fmt.Sprintf(`"limits": {"body_bytes": "%dKiB"}, "timeouts": {"response_head": "%ds"}`, 1+i, 60+i/10)
			said := s.Reload(fileOf(others, wanted...))
			require.Contains(t, said, `msg="configuration reloaded"`)
			message := fmt.Appendf(nil, "reload %d", i)
			for _, conn := range chats {
				require.NoError(t, conn.Write(ctx, websocket.MessageText, message))
				requireMessage(t, ctx, conn, websocket.MessageText, message)
			}
			load.Await(20, time.Now(), stack.Shot.Good)
		}
		took := time.Since(begin)
		shots := load.Stop()
		for _, shot := range shots {
			require.True(t, shot.Good(), "%+v", shot)
		}
		t.Logf("%d reloads in %v, %d requests, %d WebSockets", reloads, took.Round(time.Millisecond), len(shots), len(chats))
		logged := func() int { return strings.Count(s.Proxy.AccessLog(), " path=/load/") }
		require.Eventually(t, func() bool { return logged() >= len(shots) }, stack.Patience, 10*time.Millisecond, "every request is logged")
		require.Equal(t, len(shots), logged(), "and once")
		require.Equal(t, reloads, strings.Count(s.Proxy.Log(), `msg="configuration reloaded"`))
		require.NotContains(t, s.Proxy.Log(), `"backend is down"`)
	})
}
