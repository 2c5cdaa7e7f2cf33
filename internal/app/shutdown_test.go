package app_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/config"
	"go-proxy/internal/testkit"
)

// held is a backend whose requests wait to be released.
func held(t *testing.T) (url string, arrived, release chan bool) {
	arrived, release = make(chan bool, 10), make(chan bool, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		arrived <- true
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.Write([]byte("done"))
	}))
	t.Cleanup(s.Close)
	return s.URL, arrived, release
}

func (r *running) refuses() {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, testkit.Patience, time.Millisecond, "new connections must be refused")
}

func TestShutdownLetsRequestsEnd(t *testing.T) {
	url, arrived, release := held(t)
	r := start(t, []string{url})
	idle := testkit.Dial(t, r.addr)
	idle.Send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.Response("GET")
	busy := testkit.Dial(t, r.addr)
	busy.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived

	r.stop()
	idle.AwaitEnd()
	r.refuses()
	release <- true
	response, body := busy.Response("GET")
	require.Equal(t, "done", body)
	require.True(t, response.Close, "Connection: close")
	busy.AwaitEnd()
	require.NoError(t, r.ended())
	require.Contains(t, r.log.String(), "msg=stopped\n")
	require.Equal(t, 2, strings.Count(r.access.String(), "\n"))
}

func TestShutdownCutsWhatDoesNotEndInTime(t *testing.T) {
	url, arrived, _ := held(t)
	r := start(t, []string{url}, "-shutdown-timeout", "50ms")
	for range 2 {
		testkit.Dial(t, r.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-arrived
	}
	r.stop()
	require.EqualError(t, r.ended(), "connections that had not ended in time were cut: 2")
	require.Equal(t, 2, strings.Count(r.access.String(), " cause=shutdown\n"), r.access.String())
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	url, arrived, _ := held(t)
	r := start(t, []string{url}, "-shutdown-timeout", "1h")
	testkit.Dial(t, r.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	r.stop()
	r.refuses()
	r.hurry()
	require.EqualError(t, r.ended(), "connections that had not ended in time were cut: 1")
}

// tunnel opens one through the proxy to a backend that echoes.
func tunnel(t *testing.T, flags ...string) (*running, *testkit.Peer) {
	addr := testkit.Script(t, func(p *testkit.Peer) {
		if strings.HasPrefix(p.Head(), "GET /health ") {
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		p.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		for b := p.Take(1); b != ""; b = p.Take(1) {
			p.Send(b)
		}
	})
	r := start(t, []string{"http://" + addr}, flags...)
	p := testkit.Dial(t, r.addr)
	p.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.Contains(t, p.Head(), "101 Switching Protocols")
	return r, p
}

func TestShutdownLetsTunnelsEnd(t *testing.T) {
	r, p := tunnel(t)
	r.stop()
	r.refuses()
	p.Send("still here")
	require.Equal(t, "still here", p.Take(len("still here")))
	p.CloseWrite()
	p.AwaitEnd()
	require.NoError(t, r.ended())
	require.Contains(t, r.access.String(), " status=101 received=10 sent=10 ")
}

func TestShutdownCutsTunnels(t *testing.T) {
	r, p := tunnel(t, "-shutdown-timeout", "50ms")
	r.stop()
	p.AwaitEnd()
	require.EqualError(t, r.ended(), "connections that had not ended in time were cut: 1")
	require.Contains(t, r.access.String(), " cause=shutdown\n")
}

func TestShutdownDuringTheFirstProbes(t *testing.T) {
	hangs := testkit.Script(t, func(p *testkit.Peer) { p.AwaitEnd() })
	r := launch(t, []string{"http://" + hangs}, "-health-interval", "1h", "-health-timeout", "1h")
	r.addr = r.log.await(t, `msg="starting reverse proxy" address=(\S+)`)
	r.stop()
	require.NoError(t, r.ended())
	r.refuses()
	require.NotContains(t, r.log.String(), "backend is down", "a cancelled probe is no result")
}

// blocked is an output that takes nothing until it is closed.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) {
	<-b
	return len(p), nil
}

func TestBlockedAccessLogDoesNotKeepTheProxyFromEnding(t *testing.T) {
	output := make(blocked)
	defer close(output)
	c, err := config.Proxy([]string{"-listen", "127.0.0.1:0", "-backends", newSample(t, "a").URL, "-log-access-flush", "1ms"},
		func(string) string { return "" })
	require.NoError(t, err)
	r := &running{t: t, result: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		r.result <- app.Run(ctx, context.Background(), c, app.Inputs{}, output, slog.New(slog.NewTextHandler(&r.log, nil)))
	}()
	r.addr = r.log.await(t, `msg=ready address=(\S+)`)
	for range 3 {
		status, _ := r.get("/")
		require.Equal(t, 200, status, "no request waits for the log")
	}
	stop()
	require.NoError(t, r.ended())
	require.Contains(t, r.log.String(), `msg="access lines lost" reason="the output takes nothing"`)
}

// A client that only connects has nothing in flight.
func TestShutdownDoesNotWaitForSilentClients(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-shutdown-timeout", "1h")
	silent := testkit.Dial(t, r.addr)
	r.get("/") // the proxy has accepted by now
	r.stop()
	silent.AwaitEnd()
	require.NoError(t, r.ended())
}

func TestUploadsCutByAShutdownAreNotTheClientsFault(t *testing.T) {
	addr := testkit.Script(t, func(p *testkit.Peer) {
		if strings.HasPrefix(p.Head(), "GET /health ") {
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		p.AwaitEnd()
	})
	const uploads = 20
	r := start(t, []string{"http://" + addr}, "-shutdown-timeout", "50ms", "-health-interval", "1h")
	for range uploads {
		testkit.Dial(t, r.addr).Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	}
	require.Eventually(t, func() bool { return strings.Count(r.log.String(), "msg=picked") == uploads }, testkit.Patience, time.Millisecond)
	r.stop()
	require.EqualError(t, r.ended(), "connections that had not ended in time were cut: 20")
	require.Equal(t, uploads, strings.Count(r.access.String(), " cause=shutdown\n"), r.access.String())
}
