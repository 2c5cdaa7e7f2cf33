package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// Settings reach the part that they concern.

func TestRiseAndFallAreSettings(t *testing.T) {
	for _, first := range []int64{http.StatusOK, http.StatusInternalServerError} {
		var probes, status atomic.Int64
		status.Store(first)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			probes.Add(1)
			w.WriteHeader(int(status.Load()))
		}))
		defer s.Close()
		r := start(t, []string{s.URL}, "-health-interval", "5ms", "-health-timeout", "5ms", "-health-fall", "1000", "-health-rise", "1000")
		status.Store(http.StatusOK + http.StatusInternalServerError - first) // the other
		before := probes.Load()
		require.Eventually(t, func() bool { return probes.Load() > before+10 }, testkit.Patience, time.Millisecond)
		require.Equal(t, 1, strings.Count(r.log.String(), "from="), "the first probe decides, and ten others do not")
	}
}

func TestPassiveFallIsASetting(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	r := start(t, []string{s.URL + "/a", s.URL + "/b"}, "-health-interval", "1h", "-health-passive-fall", "3")
	for range 4 { // two for each
		status, _ := r.get("/")
		require.Equal(t, 502, status)
	}
	require.NotContains(t, r.log.String(), "backend is down")
	r.get("/")
	r.log.await(t, "backend is down")
}

func TestClientThatTakesNothingIsGivenUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path != "/health" {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	r := start(t, []string{s.URL}, "-timeouts-write-stall", "50ms", "-log-access-flush", "1ms")
	testkit.Dial(t, r.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r.access.await(t, " cause=client_write_timeout\n")
}

func TestQueryOfTheHealthPathIsNotLogged(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-health-path", "/health?token=secret")
	require.Contains(t, r.log.String(), " probe=/health\n")
	require.NotContains(t, r.log.String(), "secret")
}

func TestLogLevelAndFormatAreSettings(t *testing.T) {
	cmd, stderr := process(t, "TARGET_BACKEND_URLS="+newSample(t, "a").URL, "LOG_FORMAT=json", "LOG_LEVEL=debug")
	stderr.await(t, `"msg":"ready"`)
	levels := make(map[string]bool)
	for line := range strings.Lines(stderr.String()) {
		var got struct{ Level string }
		require.NoError(t, json.Unmarshal([]byte(line), &got), line)
		levels[got.Level] = true
	}
	require.Equal(t, map[string]bool{"DEBUG": true, "INFO": true}, levels)
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
}

// net/http says to the default logger what it finds between two answers.
func TestWhatNetHTTPSaysIsForDebugging(t *testing.T) {
	for level, said := range map[string]bool{"info": false, "debug": true} {
		sent := make(chan bool, 100)
		addr := testkit.Script(t, func(p *testkit.Peer) {
			if strings.HasPrefix(p.Head(), "GET /health ") {
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			time.Sleep(10 * time.Millisecond) // the connection is unused by then
			p.Send("HTTP/1.1 200 OK\r\nX-Secret: 1\r\n\r\n")
			p.AwaitEnd()
			sent <- true
		})
		_, stderr := process(t, "TARGET_BACKEND_URLS=http://"+addr, "LOG_LEVEL="+level, "PROXY_PLANE=nethttp")
		r := &running{t: t, addr: stderr.await(t, `msg=ready address=(\S+)`)}
		status, _ := r.get("/")
		require.Equal(t, 200, status)
		<-sent
		if said {
			stderr.await(t, `level=DEBUG msg="Unsolicited response`)
		} else {
			require.NotContains(t, stderr.String(), "Unsolicited")
		}
	}
}

// kept is a backend that says how its connections end, once they have answered
// a request for path.
func kept(t *testing.T, path string) (url string, ended chan error) {
	ended = make(chan error, 10)
	addr := testkit.Script(t, func(p *testkit.Peer) {
		request, _ := p.Request()
		if request == nil {
			return
		}
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, err := p.Rest()
		if request.URL.Path == path {
			ended <- err
		}
	})
	return "http://" + addr, ended
}

func TestConnectionsToBackendsEndWithTheProxy(t *testing.T) {
	for _, path := range []string{"/", "/health"} {
		t.Run(path, func(t *testing.T) {
			url, ended := kept(t, path)
			r := start(t, []string{url}, "-health-interval", "1h")
			status, _ := r.get("/")
			require.Equal(t, 200, status)
			r.stop()
			require.NoError(t, r.ended())
			require.NoError(t, <-ended, "in time, and in order")
		})
	}
}

// They are most likely dead, too.
func TestUnusedConnectionsToABackendThatWentDownAreClosed(t *testing.T) {
	var sick atomic.Bool
	ended := make(chan error, 10)
	addr := testkit.Script(t, func(p *testkit.Peer) {
		request, _ := p.Request()
		if request == nil {
			return
		}
		if request.URL.Path == "/health" {
			p.Send(fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", map[bool]int{false: 200, true: 500}[sick.Load()]))
			return
		}
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, err := p.Rest()
		ended <- err
	})
	r := start(t, []string{"http://" + addr}, "-health-interval", "50ms", "-health-timeout", "50ms")
	status, _ := r.get("/")
	require.Equal(t, 200, status)
	sick.Store(true)
	require.NoError(t, <-ended)
	r.log.await(t, "backend is down")
}

// The configuration takes the outcomes that there are.
func TestEveryOutcomeHasItsName(t *testing.T) {
	c, err := config.Proxy(nil, func(string) string { return "" })
	require.NoError(t, err)
	require.Equal(t, hop.SoftCauses(), c.PassiveOn, "all of them count, unless it is said otherwise")
}

// The configuration takes the policies that there are.
func TestEveryPolicyHasItsName(t *testing.T) {
	for _, policy := range pool.Policies() {
		c, err := config.Proxy([]string{"-policy", policy}, func(string) string { return "" })
		require.NoError(t, err)
		require.Equal(t, policy, c.Balancing.Policy)
	}
	_, err := config.Proxy([]string{"-policy", "x"}, func(string) string { return "" })
	names := pool.Policies()
	last := len(names) - 1
	require.ErrorContains(t, err, "valid: "+strings.Join(names[:last], ", ")+" or "+names[last])
}
