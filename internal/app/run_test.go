package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/testkit"
)

func TestRequestsGoRoundRobin(t *testing.T) {
	a, b, c := newSample(t, "a"), newSample(t, "b"), newSample(t, "c")
	r := start(t, []string{a.URL, b.URL, c.URL})
	counts := make(map[string]int)
	for range 3000 {
		_, name := r.get("/")
		counts[name]++
	}
	require.Equal(t, map[string]int{"a": 1000, "b": 1000, "c": 1000}, counts)
}

// The log says what the proxy is about to do, with whom.
func TestStartIsLogged(t *testing.T) {
	a, b := newSample(t, "a"), newSample(t, "b")
	r := start(t, []string{a.URL, b.URL}, "-health-interval", "7s")
	log := r.log.String()
	require.Contains(t, log, `msg="starting reverse proxy" address=`+r.addr+` backends=2 health_interval=7s`)
	for _, s := range []*sample{a, b} {
		require.Contains(t, log, "level=INFO msg=backend backend="+s.URL+" probe=/health\n")
		require.Contains(t, log, `level=INFO msg="backend is up" backend=`+s.URL+` from=unknown to=up reason="probe succeeded"`)
		require.Contains(t, log, "level=DEBUG msg=probed backend="+s.URL)
	}
	r.get("/x?secret=1")
	r.log.await(t, `level=DEBUG msg=picked backend=\S+ client=\S+ method=GET path=/x\n`)
}

// Clients that come while the first probes are under way wait for them and
// are then served.
func TestNo503AtBoot(t *testing.T) {
	probed, release := make(chan bool), make(chan bool)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			probed <- true
			<-release
		}
	}))
	defer slow.Close()
	r := launch(t, []string{slow.URL}, "-health-interval", "1h", "-health-timeout", "1m")
	r.addr = r.log.await(t, `msg="starting reverse proxy" address=(\S+)`)
	p := testkit.Dial(t, r.addr)
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-probed
	release <- true
	response, _ := p.Response("GET")
	require.Equal(t, 200, response.StatusCode)
}

// A backend that hangs delays the start by the probe's timeout at most.
func TestFirstProbesAreBounded(t *testing.T) {
	hangs := testkit.Script(t, func(p *testkit.Peer) { p.AwaitEnd() })
	a := newSample(t, "a")
	r := start(t, []string{a.URL, "http://" + hangs}, "-health-interval", "1h", "-health-timeout", "50ms")
	for range 4 {
		_, name := r.get("/")
		require.Equal(t, "a", name)
	}
	require.Contains(t, r.log.String(), `from=unknown to=down reason="no answer to the probe within 50ms"`)
}

func TestBackendIsEvictedAndComesBack(t *testing.T) {
	a, b := newSample(t, "a"), newSample(t, "b")
	r := start(t, []string{a.URL, b.URL}, "-health-interval", "50ms", "-health-timeout", "50ms")
	a.sick.Store(true)
	r.log.await(t, `level=WARN msg="backend is down" backend=`+a.URL+` from=up to=down reason="probe: status 500, want 200"`)
	for range 10 {
		_, name := r.get("/")
		require.Equal(t, "b", name)
	}
	a.sick.Store(false)
	r.log.await(t, `level=INFO msg="backend is up" backend=`+a.URL+` from=down to=up`)
	counts := make(map[string]int)
	for range 10 {
		_, name := r.get("/")
		counts[name]++
	}
	require.Equal(t, map[string]int{"a": 5, "b": 5}, counts)
}

// A healthy backend that failed one request is back long before its interval
// is over; one that goes on failing is not asked back a second time.
func TestBackendMarkedDownByTrafficIsProbedAtOnce(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" && failing.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	r := start(t, []string{s.URL}, "-health-interval", "1h")
	status, _ := r.get("/")
	require.Equal(t, 502, status)
	r.log.await(t, `msg="backend is down".* reason="reset_before_response: EOF"`)
	r.log.await(t, `msg="backend is up".* from=down to=up`)
	status, _ = r.get("/")
	require.Equal(t, 502, status)
	failing.Store(false)
	status, _ = r.get("/")
	require.Equal(t, 503, status, "the favour is granted once an interval")
}

// Every request ends in one line.
func TestAccessLogLinesEqualRequests(t *testing.T) {
	const clients, each = 8, 50
	a := newSample(t, "a")
	r := start(t, []string{a.URL}, "-log-format", "json")
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				r.get("/path?secret=1")
			}
		})
	}
	all.Wait()
	r.stop()
	require.NoError(t, r.ended())
	lines := strings.Split(strings.TrimSpace(r.access.String()), "\n")
	require.Len(t, lines, clients*each)
	for _, line := range lines {
		var got struct {
			Path, Backend string
			Status, Sent  int
			Attempts      []struct{ Backend, Outcome string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		require.Equal(t, "/path", got.Path)
		require.Equal(t, 200, got.Status)
		require.Equal(t, 1, got.Sent)
		require.Equal(t, a.URL, got.Backend)
		require.Len(t, got.Attempts, 1)
		require.Equal(t, "answered", got.Attempts[0].Outcome)
	}
	require.NotContains(t, r.access.String()+r.log.String(), "secret", "queries appear only when asked for")
}

func TestAccessLogCanBeOff(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-log-access", "off")
	r.get("/")
	r.stop()
	require.NoError(t, r.ended())
	require.Empty(t, r.access.String())
}

func TestAccessLogIsWrittenWhileRunning(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-log-access-flush", "1ms")
	r.get("/x")
	r.access.await(t, ` method=GET path=/x status=200 .* attempts=answered@http://\S+ cause=-\n`)
}

// 2,000 connections that never finish their head do not keep an honest client
// from being served.
func TestSlowlorisDoesNotSlowHonestClients(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL})
	for i := range 2000 {
		p := testkit.Dial(t, r.addr)
		p.Sendf("GET /%d HTTP/1.1\r\nHost: x\r\nX-Slow: ", i)
	}
	begin := time.Now()
	for range 100 {
		status, _ := r.get("/")
		require.Equal(t, 200, status)
	}
	require.Less(t, time.Since(begin), 5*time.Second)
}

// A head must come within its time, however it trickles.
func TestSlowHeadEnds(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-timeouts-client-head", "50ms")
	p := testkit.Dial(t, r.addr)
	p.Send("GET / HTTP/1.1\r\nX-Slow: ")
	_, err := p.Rest()
	require.NoError(t, err)
}

func TestIdleConnectionEnds(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL}, "-timeouts-client-idle", "50ms")
	p := testkit.Dial(t, r.addr)
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	p.Response("GET")
	rest, err := p.Rest()
	require.NoError(t, err)
	require.Empty(t, rest)
}

// A failed probe asks for no second one at once: it has just looked.
func TestBackendMarkedDownByAProbeWaitsForTheNext(t *testing.T) {
	var probes atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if probes.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	r := start(t, []string{s.URL}, "-health-interval", "1h")
	status, _ := r.get("/")
	require.Equal(t, 503, status)
	r.stop()
	require.NoError(t, r.ended())
	require.EqualValues(t, 1, probes.Load())
}
