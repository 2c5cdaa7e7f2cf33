package proxy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

const (
	upgrade  = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
	switches = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)

// tunnelTo is a backend that switches protocols and then follows the script.
func tunnelTo(t *testing.T, script func(p *testkit.Peer)) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		head := p.Head()
		if !strings.Contains(head, "\r\nUpgrade: websocket\r\n") || !strings.Contains(head, "\r\nConnection: Upgrade\r\n") {
			t.Errorf("no upgrade in %q", head)
		}
		p.Send(switches)
		script(p)
	})
}

func echo(p *testkit.Peer) {
	for {
		b := p.Take(1)
		if b == "" {
			return
		}
		p.Send(b)
	}
}

func TestUpgradeMakesATunnel(t *testing.T) {
	r := newRig(t, []string{tunnelTo(t, echo)})
	p := r.dial()
	p.Send(upgrade)
	require.Contains(t, p.Head(), "HTTP/1.1 101 Switching Protocols\r\n")
	for _, text := range []string{"a", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("x", 64<<10)} {
		go p.Send(text)
		require.Equal(t, text, p.Take(len(text)))
	}
	require.EqualValues(t, 1, r.pool.Backends()[0].InFlight(), "a tunnel is in flight")
	require.Empty(t, r.records, "and its exchange has not ended")
	p.CloseWrite()
	_, err := p.Rest()
	require.NoError(t, err)
	record := r.record()
	require.Equal(t, 101, record.Status)
	require.Equal(t, hop.None, record.Cause)
	require.EqualValues(t, 1+18+64<<10, record.Received)
	require.EqualValues(t, 1+18+64<<10, record.Sent)
	r.nobodyBlamed()
}

// Bytes right behind the request belong to the tunnel, and wait for it.
func TestBytesBehindAnUpgradeReachTheBackend(t *testing.T) {
	r := newRig(t, []string{tunnelTo(t, echo)})
	p := r.dial()
	p.Send(upgrade + "early")
	p.Head()
	p.Send("late")
	require.Equal(t, "earlylate", p.Take(len("earlylate")))
}

// If the backend refuses, they were HTTP all along (CVE-2026-2833).
func TestBytesBehindARefusedUpgradeStayHTTP(t *testing.T) {
	r := newRig(t, []string{echoHead(t)})
	p := r.dial()
	p.Send(upgrade + "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
	response, _ := p.Response("GET")
	require.Equal(t, 200, response.StatusCode)
	_, body := p.Response("GET")
	require.True(t, strings.HasPrefix(body, "GET /second "), body)
}

func TestTunnelHalfCloses(t *testing.T) {
	t.Run("client first", func(t *testing.T) {
		r := newRig(t, []string{tunnelTo(t, func(p *testkit.Peer) {
			rest, err := p.Rest()
			if err != nil || rest != "question" {
				t.Errorf("backend got %q, %v", rest, err)
			}
			p.Send("answer")
		})})
		p := r.dial()
		p.Send(upgrade)
		p.Head()
		p.Send("question")
		p.CloseWrite()
		rest, err := p.Rest()
		require.NoError(t, err)
		require.Equal(t, "answer", rest)
	})
	t.Run("backend first", func(t *testing.T) {
		answer := make(chan string, 1)
		r := newRig(t, []string{tunnelTo(t, func(p *testkit.Peer) {
			p.Send("question")
			p.CloseWrite()
			rest, _ := p.Rest()
			answer <- rest
		})})
		p := r.dial()
		p.Send(upgrade)
		p.Head()
		rest, err := p.Rest()
		require.NoError(t, err)
		require.Equal(t, "question", rest)
		p.Send("answer")
		p.CloseWrite()
		require.Equal(t, "answer", <-answer)
	})
}

func TestTunnelEndsWhenItIsSilentInBothDirections(t *testing.T) {
	const limit = 300 * time.Millisecond
	pauses := func(send func(string)) { // each well within the limit
		for range 4 {
			time.Sleep(limit / 3)
			send("x")
		}
	}
	for name, talks := range map[string]struct{ client, backend func(*testkit.Peer) }{
		"the client":  {func(p *testkit.Peer) { pauses(p.Send) }, func(*testkit.Peer) {}},
		"the backend": {func(*testkit.Peer) {}, func(p *testkit.Peer) { pauses(p.Send) }},
	} {
		t.Run(name+" talked last", func(t *testing.T) {
			r := newRig(t, []string{tunnelTo(t, func(p *testkit.Peer) {
				talks.backend(p)
				p.AwaitEnd()
			})}, func(c *config.Config) { c.Timeouts.TunnelIdle = limit })
			p := r.dial()
			start := time.Now() // before the backend begins to talk
			p.Send(upgrade)
			p.Head()
			talks.client(p)
			p.AwaitEnd()
			require.Greater(t, time.Since(start), 4*limit/3+limit, "progress moves the deadline")
			require.Equal(t, hop.TunnelIdle, r.record().Cause)
			r.nobodyBlamed()
		})
	}
}

// RFC 9113, 3.1: h2c would carry requests past every rule of the proxy.
func TestUpgradeToH2CIsNotForwarded(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	require.NotContains(t, got, "Upgrade")
	require.NotContains(t, got, "Connection")
	require.NotContains(t, got, "Http2-Settings")

	got = backendSees(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: H2C, websocket\r\n\r\n")
	require.Contains(t, got, "\r\nUpgrade: websocket\r\n")

	got = backendSees(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	require.NotContains(t, got, "Http2-Settings", "though not nominated")

	for _, body := range []string{"Content-Length: 0\r\n\r\n", "Content-Length: 1\r\n\r\nx"} {
		got = backendSees(t, "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"+body)
		require.NotContains(t, got, "Upgrade")
	}
}

func TestUpgradeOfHTTP10IsNotForwarded(t *testing.T) {
	got := backendSees(t, "GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.NotContains(t, got, "Upgrade")
}

func TestBackendThatSwitchesToSomethingElseIsBad(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"))})
	p := r.dial()
	p.Send(upgrade)
	require.Contains(t, p.Head(), "HTTP/1.1 502 Bad Gateway\r\n")
	r.failed(hop.BadResponse, 502, true)
}

// RFC 9110, 7.8: the server takes one of the protocols that it is offered.
func TestBackendChoosesFromTheOffers(t *testing.T) {
	for offers, choice := range map[string]string{"websocket, other": "websocket", "h2c,Other/1 , WebSocket": "websocket", "a/1, b/2": "b/2"} {
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Sendf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", choice)
			echo(p)
		})})
		p := r.dial()
		p.Sendf("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", offers)
		require.Contains(t, p.Head(), "\r\nUpgrade: "+choice+"\r\n")
		p.Send("x")
		require.Equal(t, "x", p.Take(1))
		r.nobodyBlamed()
	}
}

// A switch that was not asked for ends the connection to the backend, which
// http.Transport has already given away.
func TestConnectionOfAWrongSwitchIsClosed(t *testing.T) {
	for _, protocol := range []string{"other", "", "h2c", "websocket, other"} {
		ended := make(chan error, 1)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Sendf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
			_, err := p.Rest()
			ended <- err
		})})
		p := r.dial()
		p.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n")
		require.Contains(t, p.Head(), "HTTP/1.1 502 Bad Gateway\r\n")
		require.NoError(t, <-ended)
		r.failed(hop.BadResponse, 502, true)
	}
}

func TestHopByHopFieldsOfASwitchEndHere(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Nominated\r\nX-Nominated: 1\r\n"+
		"Upgrade: websocket\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\nX-Stays: 1\r\n\r\n"))})
	p := r.dial()
	p.Send(upgrade)
	require.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Stays: 1\r\n\r\n", p.Head())
}

// Clients that reset at any moment of a switch never take the backend down.
func TestClientThatLeavesDuringASwitchIsToBlame(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		if p.Head() != "" {
			p.Send(switches)
			echo(p)
		}
	})})
	for i := range 300 {
		p := testkit.Dial(t, r.addr)
		p.Send(upgrade)
		for range i * 100 { // a little later each time
			_ = time.Now()
		}
		p.Reset()
	}
	for range 300 {
		r.record()
	}
	r.nobodyBlamed()
}
