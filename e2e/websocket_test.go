package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// chat is the address of a backend that talks WebSocket: it speaks first,
// sends back every message, and closes when it is told to.
func chat(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			talk(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func talk(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	echoMessages(r.Context(), conn)
}

func echoMessages(ctx context.Context, conn *websocket.Conn) {
	conn.SetReadLimit(-1)
	err := conn.Write(ctx, websocket.MessageText, []byte("welcome"))
	for err == nil {
		var kind websocket.MessageType
		var message []byte
		if kind, message, err = conn.Read(ctx); err != nil {
			return
		}
		if string(message) == "close, please" {
			conn.Close(websocket.StatusGoingAway, "as you wish")
			return
		}
		err = conn.Write(ctx, kind, message)
	}
}

// joinChat opens a WebSocket through the proxy.
func joinChat(t *testing.T, ctx context.Context, s *stack.Stack, path string) *websocket.Conn {
	t.Helper()
	conn, response, err := websocket.Dial(ctx, s.URL(path), &websocket.DialOptions{Subprotocols: []string{"chat"}})
	require.NoError(t, err)
	t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(-1)
	require.Equal(t, 101, response.StatusCode)
	require.Equal(t, "chat", conn.Subprotocol())
	return conn
}

func requireMessage(t *testing.T, ctx context.Context, conn *websocket.Conn, kind websocket.MessageType, want []byte) {
	t.Helper()
	gotKind, got, err := conn.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, kind, gotKind)
	require.True(t, bytes.Equal(want, got), "%d bytes, want %d", len(got), len(want))
}

func TestWebSocketPassesInBothDirections(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(chat(t)))
		ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
		defer cancel()
		conn := joinChat(t, ctx, s, "/chat")
		requireMessage(t, ctx, conn, websocket.MessageText, []byte("welcome"))
		for _, message := range [][]byte{{}, []byte("hello"), []byte("GET / HTTP/1.1\r\n\r\n"), {0, 255, 0}, bytes.Repeat([]byte("x"), 1<<20)} {
			for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
				written := make(chan error, 1)
				go func() { written <- conn.Write(ctx, kind, message) }()
				requireMessage(t, ctx, conn, kind, message)
				require.NoError(t, <-written)
			}
		}
		require.NotContains(t, s.Proxy.AccessLog(), "path=/chat ", "the exchange has not ended")
		require.NoError(t, conn.Close(websocket.StatusNormalClosure, "bye"), "the backend's close frame must come back")
		record := s.Proxy.AwaitRecord("/chat")
		require.Equal(t, []string{"101", "-"}, []string{record["status"], record["cause"]})
	})
}

func TestWebSocketCloseOfTheBackendReachesTheClient(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(chat(t)))
		ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
		defer cancel()
		conn := joinChat(t, ctx, s, "/chat")
		requireMessage(t, ctx, conn, websocket.MessageText, []byte("welcome"))
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte("close, please")))
		_, _, err := conn.Read(ctx)
		var closed websocket.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, websocket.CloseError{Code: websocket.StatusGoingAway, Reason: "as you wish"}, closed)
		require.Equal(t, "-", s.Proxy.AwaitRecord("/chat")["cause"])
	})
}

// Many at once, spread like requests, while others go on being answered.
func TestWebSocketsAreSharedLikeRequests(t *testing.T) {
	const each = 10
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		peers := []string{chat(t), chat(t)}
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(peers...))
		ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
		defer cancel()
		var all sync.WaitGroup
		for i := range each * len(peers) {
			conn := joinChat(t, ctx, s, fmt.Sprint("/chat/", i))
			requireMessage(t, ctx, conn, websocket.MessageText, []byte("welcome"))
			all.Go(func() {
				for n := range 20 {
					message := []byte(fmt.Sprint(i, " ", n))
					if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
						t.Error(err)
						return
					}
					if _, got, err := conn.Read(ctx); err != nil || !bytes.Equal(message, got) {
						t.Errorf("%q came back as %q, %v", message, got, err)
					}
				}
				conn.Close(websocket.StatusNormalClosure, "")
			})
		}
		all.Wait()
		s.Proxy.AwaitLines(each * len(peers))
		counts := make(map[string]int)
		for _, r := range s.Proxy.Records() {
			require.Equal(t, "101", r["status"])
			counts[r["backend"]]++
		}
		require.Equal(t, map[string]int{peers[0]: each, peers[1]: each}, counts)
	})
}

// A backend that has no use for it says so, and it is an ordinary answer.
func TestRefusedWebSocketIsAnOrdinaryAnswer(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
		defer cancel()
		_, response, err := websocket.Dial(ctx, s.URL("/no?status=403"), nil)
		require.Error(t, err)
		require.Equal(t, 403, response.StatusCode)
		require.Equal(t, s.Backend(1).ID(), response.Header.Get("X-Backend"))
		require.Equal(t, "403", s.Proxy.AwaitRecord("/no")["status"])
	})
}

const (
	upgradeHead = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
	switchHead  = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)

// tunnelTo is a proxy in front of a backend that switches protocols and then
// follows the script.
func tunnelTo(t *testing.T, mode stack.Mode, script func(*testkit.Peer), opts ...stack.Option) *stack.Stack {
	return acted(t, mode, func(p *testkit.Peer, head string) {
		if !strings.Contains(head, "\r\nUpgrade: websocket\r\n") || !strings.Contains(head, "\r\nConnection: Upgrade\r\n") {
			t.Errorf("no upgrade in %q", head)
		}
		p.Send(switchHead)
		script(p)
	}, opts...)
}

// echoBytes sends back what comes, until nothing does.
func echoBytes(p *testkit.Peer) {
	for b := p.Take(1); b != ""; b = p.Take(1) {
		p.Send(b)
	}
	p.Close()
}

func TestTunnelPassesEveryByte(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := tunnelTo(t, mode, echoBytes)
		p := s.Dial()
		p.Send(upgradeHead)
		require.Equal(t, switchHead, p.Head())
		texts := []string{"a", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\x00\xff", 8<<10)}
		total := 0
		for _, text := range texts {
			total += len(text)
			go p.Send(text)
			require.Equal(t, text, p.Take(len(text)))
		}
		p.CloseWrite()
		_, err := p.Rest()
		require.NoError(t, err)
		record := s.Proxy.AwaitRecord("/tunnel")
		require.Equal(t, []string{"101", fmt.Sprint(total), fmt.Sprint(total), "-"},
			[]string{record["status"], record["received"], record["sent"], record["cause"]})
	})
}

func TestTunnelHalfCloses(t *testing.T) {
	t.Run("the client first", func(t *testing.T) {
		stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
			s := tunnelTo(t, mode, func(p *testkit.Peer) {
				rest, err := p.Rest()
				p.Send(fmt.Sprintf("after the end: %s, %v", rest, err))
				p.Close()
			})
			p := s.Dial()
			p.Send(upgradeHead)
			p.Head()
			p.Send("question")
			p.CloseWrite()
			rest, err := p.Rest()
			require.NoError(t, err)
			require.Equal(t, "after the end: question, <nil>", rest)
		})
	})
	t.Run("the backend first", func(t *testing.T) {
		stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
			answer := make(chan string, 1)
			s := tunnelTo(t, mode, func(p *testkit.Peer) {
				p.Send("question")
				p.CloseWrite()
				rest, _ := p.Rest()
				answer <- rest
			})
			p := s.Dial()
			p.Send(upgradeHead)
			p.Head()
			rest, err := p.Rest()
			require.NoError(t, err)
			require.Equal(t, "question", rest)
			p.Send("answer")
			p.CloseWrite()
			require.Equal(t, "answer", <-answer)
		})
	})
}

// Bytes right behind the request belong to the tunnel, and wait for it.
func TestBytesBehindAnUpgradeReachTheBackend(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := tunnelTo(t, mode, echoBytes)
		p := s.Dial()
		p.Send(upgradeHead + "early")
		p.Head()
		p.Send("late")
		require.Equal(t, "earlylate", p.Take(len("earlylate")))
	})
}

// So do those right behind the backend's 101.
func TestBytesBehindTheSwitchReachTheClient(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := acted(t, mode, func(p *testkit.Peer, head string) {
			p.Send(switchHead + "early")
			echoBytes(p)
		})
		p := s.Dial()
		p.Send(upgradeHead)
		p.Head()
		require.Equal(t, "early", p.Take(len("early")))
		p.Send("late")
		require.Equal(t, "late", p.Take(len("late")))
	})
}

// RFC 9113, 3.1: h2c would carry requests past every rule of the proxy.
func TestUpgradeToH2CIsNotForwarded(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		for upgrade, want := range map[string][]string{"h2c": nil, "H2C, websocket": {"websocket"}, "websocket": {"websocket"}} {
			got := backendSees(t, s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "+upgrade+"\r\nHTTP2-Settings: AAMAAABk\r\n\r\n").Headers
			require.Equal(t, want, got["Upgrade"], upgrade)
			require.NotContains(t, got, "Http2-Settings")
		}
		got := backendSees(t, s, "GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").Headers
		require.NotContains(t, got, "Upgrade", "HTTP/1.0 has none (RFC 9110, 7.8)")
	})
}

// Whoever asked for one protocol, or for none, must not be left with another.
func TestSwitchToAProtocolNotOfferedIsA502(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for _, request := range []string{upgradeHead, strings.Replace(upgradeHead, "Upgrade: websocket\r\n", "", 1)} {
			addr := actor(t, repeats("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"))
			s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("HEALTH_CHECK_INTERVAL", "1h"))
			p := s.Dial()
			p.Send(request)
			response, body := p.Response("GET")
			require.Equal(t, 502, response.StatusCode)
			require.Equal(t, "502 Bad Gateway: bad_response\n", body)
			s.Proxy.AwaitLog(`msg="backend is down" backend=http://` + addr + ` from=up to=down reason="bad_response: `)
		}
	})
}
