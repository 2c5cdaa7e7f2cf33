package app_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/config"
	"go-proxy/internal/testkit"
)

// filed is a running proxy with a configuration file.
type filed struct {
	*running
	path string
}

// startFiled runs a proxy with the file and flags until it takes traffic.
func startFiled(t testing.TB, text string, flags ...string) *filed {
	t.Helper()
	f := &filed{path: filepath.Join(t.TempDir(), "proxy.json")}
	f.write(t, text)
	f.running = run(t, app.Inputs{}, append([]string{"-config", f.path}, flags...)...)
	f.addr = f.log.await(t, `msg=ready address=(\S+)`)
	return f
}

// write puts another file in the place of the one that is there.
func (f *filed) write(t testing.TB, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(f.path+".new", []byte(text), 0o644))
	require.NoError(t, os.Rename(f.path+".new", f.path))
}

// said counts the lines that the log has for ends of reloads.
func (f *filed) said() int {
	n := 0
	for _, line := range []string{"msg=\"configuration reloaded\"", "msg=\"configuration is unchanged\"", "msg=\"configuration refused"} {
		n += strings.Count(f.log.String(), line)
	}
	return n
}

// reload writes the file, asks for it to be read, and returns what was logged
// of that.
func (f *filed) reload(text string) string {
	f.t.Helper()
	f.write(f.t, text)
	before, said := len(f.log.String()), f.said()
	f.asked <- syscall.SIGHUP
	require.Eventually(f.t, func() bool { return f.said() > said }, testkit.Patience, time.Millisecond, "nothing is said of the reload")
	return f.log.String()[before:]
}

// file is one with the backends, and other keys.
func file(others string, backends ...*sample) string {
	var urls []string
	for _, b := range backends {
		urls = append(urls, fmt.Sprintf("%q", b.URL))
	}
	return `{"listen": "127.0.0.1:0", "log": {"level": "debug"}, "backends": [` + strings.Join(urls, ", ") + `], ` + others + `}`
}

func (f *filed) share(n int) map[string]int {
	f.t.Helper()
	counts := make(map[string]int)
	for range n {
		_, name := f.get("/")
		counts[name]++
	}
	return counts
}

func TestReloadIsOneDiff(t *testing.T) {
	a, b, c := newSample(t, "a"), newSample(t, "b"), newSample(t, "c")
	f := startFiled(t, file("", a, b))
	said := f.reload(file(`"shutdown_timeout": "7s"`, c, b))
	require.Regexp(t, `level=INFO msg="configuration reloaded" changed="\[backends shutdown_timeout\]" added=\[`+c.URL+`\] removed=\[`+a.URL+`\] kept=\[`+b.URL+`\]\n`, said)
	require.NotContains(t, said, "restart")
	f.log.await(t, `msg="backend is up" backend=`+c.URL+` from=unknown`)
	require.Equal(t, map[string]int{"b": 5, "c": 5}, f.share(10))
	require.Equal(t, 1, strings.Count(f.log.String(), `"backend is up" backend=`+b.URL), "it was up all the time")
}

func TestBackendThatComesGetsNothingBeforeItsFirstProbe(t *testing.T) {
	a := newSample(t, "a")
	probed, release := make(chan bool), make(chan bool)
	slow := &sample{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			probed <- true
			<-release
		}
		w.Write([]byte("slow"))
	}))}
	defer slow.Close()
	f := startFiled(t, file(`"health": {"interval": "1h", "timeout": "1m"}`, a))
	f.reload(file(`"health": {"interval": "1h", "timeout": "1m"}`, a, slow))
	<-probed
	require.Equal(t, map[string]int{"a": 10}, f.share(10))
	release <- true
	f.log.await(t, `"backend is up" backend=`+slow.URL)
	require.Equal(t, map[string]int{"a": 5, "slow": 5}, f.share(10))
}

// Draining, too, is no reason for a moment with nobody to answer.
func TestOneThatDrainsServesUntilTheNextIsProbed(t *testing.T) {
	a := newSample(t, "a")
	probed, release := make(chan bool), make(chan bool)
	slow := &sample{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			probed <- true
			<-release
		}
		w.Write([]byte("slow"))
	}))}
	defer slow.Close()
	free := sync.OnceFunc(func() { release <- true })
	defer free() // also if the test fails, for the probe
	const others = `"listen": "127.0.0.1:0", "log": {"level": "debug"}, "health": {"interval": "1h", "timeout": "1m"}`
	f := startFiled(t, fmt.Sprintf(`{%s, "backends": [%q]}`, others, a.URL))
	f.write(t, fmt.Sprintf(`{%s, "backends": [{"url": %q, "drain": true}, %q]}`, others, a.URL, slow.URL))
	said := f.said()
	f.asked <- syscall.SIGHUP
	<-probed
	require.Equal(t, map[string]int{"a": 10}, f.share(10))
	free()
	require.Eventually(t, func() bool { return f.said() > said }, testkit.Patience, time.Millisecond)
	require.Equal(t, map[string]int{"slow": 10}, f.share(10))
	require.Regexp(t, `msg="backends have another weight or role" backends=\[`+a.URL+`\]`, f.log.String())
}

func TestBadFileChangesNothingAndEveryProblemIsLogged(t *testing.T) {
	a := newSample(t, "a")
	f := startFiled(t, file(`"limits": {"target_bytes": "100"}`, a))
	said := f.reload(`{"listen": "127.0.0.1:0", "backends": ["ftp://x"], "limits": {"target_bytes": "1KiB", "header_lines": 0}, "log": {"levle": "warn"}}`)
	require.Contains(t, said, `level=ERROR msg="configuration refused; nothing has changed" problems=3`)
	for _, key := range []string{`backends: \\"ftp`, "limits.header_lines: ", `unknown key \\"log.levle\\" \(did you mean log.level\?\)`} {
		f.log.await(t, `level=ERROR msg="problem with the configuration" problem="`+f.path+`:1:\d+: `+key)
	}
	status, _ := f.get("/" + strings.Repeat("x", 200))
	require.Equal(t, 414, status, "the old limit")
	require.Equal(t, map[string]int{"a": 10}, f.share(10))
	require.NoError(t, os.Remove(f.path))
	f.asked <- syscall.SIGHUP
	f.log.await(t, `problem="config: flag -config: .*: no such file or directory`)
	require.Equal(t, map[string]int{"a": 10}, f.share(10))
	require.Contains(t, f.reload(file("", a)), `changed=[limits.target_bytes]`)
}

func TestSameFileIsLeftAlone(t *testing.T) {
	f := startFiled(t, file("", newSample(t, "a")))
	before := strings.Count(f.log.String(), "msg=probed")
	text := file("", newSample(t, "b"))
	f.reload(text)
	for _, same := range []string{text, "// other words for it\n" + text} {
		require.Contains(t, f.reload(same), `level=INFO msg="configuration is unchanged"`+"\n")
	}
	require.LessOrEqual(t, strings.Count(f.log.String(), "msg=probed"), before+2)
}

func TestWithoutAFileAReloadFindsTheSame(t *testing.T) {
	r := start(t, []string{newSample(t, "a").URL})
	r.asked <- syscall.SIGHUP
	r.log.await(t, `level=INFO msg="configuration is unchanged"`)
	status, _ := r.get("/")
	require.Equal(t, 200, status)
}

// What is settled once, by a flag or by how the proxy is built, is named; all
// else is in force at once. Every row of the table is one or the other.
func TestEverySettingChangesLiveOrIsNamed(t *testing.T) {
	restart := []string{"plane", "timeouts.client_head", "timeouts.client_idle", "limits.header_bytes", "log.format", "log.access_buffer", "log.access_flush"}
	outside := []string{"config", "watch"} // the file cannot say these
	a, b := newSample(t, "a"), newSample(t, "b")
	other := map[string]string{
		"listen": "127.0.0.1:00", "backends": b.URL, "policy": "random", "hash_key": "path", "hash_bound": "150%", "slow_start": "30s",
		"resolve": "all", "resolve_interval": "31s", "trusted_proxies": "10.0.0.0/8", "plane": "nethttp", "half_close": "on", "shutdown_timeout": "31s",
		"health.path": "/ready", "health.interval": "11s", "health.timeout": "1s", "health.jitter": "9%", "health.expect_status": "204",
		"health.rise": "2", "health.fall": "2", "health.passive_fall": "2", "health.passive_on": "503", "health.ejection": "1s", "health.ejection_most": "6m",
		"fail_open": "on", "retries": "1", "retry_on": "503", "retry_budget": "21%", "retry_rate": "11", "retry_burst": "257",
		"max_in_flight": "9", "backend_max_in_flight": "9", "queue": "9", "timeouts.queue": "2s", "timeouts.attempt": "1h", "timeouts.total": "1h",
		"timeouts.dial": "3s", "timeouts.tls_handshake": "6s", "timeouts.response_head": "61s", "timeouts.backend_body": "6m", "timeouts.backend_idle": "91s",
		"timeouts.expect_continue": "2s", "timeouts.client_head": "11s", "timeouts.client_body": "31s", "timeouts.client_idle": "76s",
		"timeouts.write_stall": "61s", "timeouts.tunnel_idle": "2h", "timeouts.flush": "11ms",
		"limits.header_bytes": "33KiB", "limits.header_lines": "129", "limits.target_bytes": "9KiB", "limits.body_bytes": "1KiB", "limits.replay_bytes": "65KiB",
		"limits.response_header_bytes": "65KiB", "limits.informational": "17", "limits.idle_conns": "1025",
		"limits.connections": "1001", "limits.connections_per_client": "101",
		"log.format": "json", "log.level": "warn", "log.access": "off", "log.access_buffer": "2MiB", "log.access_flush": "201ms", "log.query": "on",
	}
	var want []string
	for _, s := range new(config.Config).Settings() {
		if !slices.Contains(outside, s.Key) {
			want = append(want, s.Key)
		}
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(other)), "this test lacks a setting")
	for _, s := range new(config.Config).Settings() {
		if slices.Contains(outside, s.Key) {
			continue
		}
		t.Run(s.Key, func(t *testing.T) {
			// What all of them can be on with.
			env := map[string]string{"PROXY_LISTEN_ADDR": "127.0.0.1:0", "TARGET_BACKEND_URLS": a.URL, "LB_POLICY": "consistent_hash", "PROXY_PLANE": "http1",
				"RETRIES": "2", "MAX_IN_FLIGHT": "8"}
			r := runEnv(t, env)
			env[s.Env] = other[s.Key] // nobody reads it before being asked
			r.asked <- syscall.SIGHUP
			if slices.Contains(restart, s.Key) {
				r.log.await(t, `level=INFO msg="configuration reloaded" changed=\[\] `)
				r.log.await(t, `level=WARN msg="settings need a restart" settings=\[`+s.Key+`\]\n`)
				return
			}
			if s.Key != "log.level" {
				r.log.await(t, `level=INFO msg="configuration reloaded" changed="?\[`+s.Key)
			} else {
				require.Eventually(t, func() bool { r.get("/"); return r.level.Level().String() == "WARN" }, testkit.Patience, time.Millisecond)
			}
			require.NotContains(t, r.log.String(), "need a restart")
		})
	}
}

// runEnv runs a proxy with the environment until it takes traffic.
func runEnv(t *testing.T, env map[string]string) *running {
	t.Helper()
	load := func() (*config.Config, error) {
		return config.Proxy(nil, func(name string) string { return env[name] })
	}
	r := run(t, app.Inputs{Load: load})
	r.addr = r.log.await(t, `msg=ready address=(\S+)`)
	return r
}

func TestSettingThatNeedsARestartIsNamedAndTheRestIsApplied(t *testing.T) {
	a := newSample(t, "a")
	f := startFiled(t, file("", a))
	other := `"timeouts": {"client_idle": "9s"}, "limits": {"target_bytes": "100", "header_bytes": "9KiB"}`
	said := f.reload(file(other, a))
	require.Contains(t, said, `changed=[limits.target_bytes] `)
	require.Contains(t, said, `level=WARN msg="settings need a restart" settings="[timeouts.client_idle limits.header_bytes]"`)
	status, _ := f.get("/" + strings.Repeat("x", 200))
	require.Equal(t, 414, status)
	require.Contains(t, f.reload(file(other, a)), "configuration is unchanged", "they are named when they change")
	said = f.reload(file(`"timeouts": {"client_idle": "9s"}`, a))
	require.Contains(t, said, `settings=[timeouts.client_idle]`, "and whenever others do")
	require.NotContains(t, f.reload(file("", a)), "restart", "it is as the proxy runs")
}

func TestListenAddressChangesLive(t *testing.T) {
	a := newSample(t, "a")
	f := startFiled(t, file("", a))
	kept := testkit.Dial(t, f.addr)
	kept.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	kept.Response("GET")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	taken := free.Addr().String()
	at := func(addr string) string { return strings.Replace(file("", a), "127.0.0.1:0", addr, 1) }

	said := f.reload(strings.Replace(at(taken), a.URL, "http://127.0.0.1:1", 1))
	require.Contains(t, said, `level=ERROR msg="configuration refused; nothing has changed" error="listen on `+taken+`: listen tcp `+taken+`: bind: address already in use"`)
	require.Equal(t, map[string]int{"a": 3}, f.share(3), "nor is the rest applied")

	require.NoError(t, free.Close())
	require.Contains(t, f.reload(at(taken)), `changed=[listen]`)
	require.Contains(t, f.log.String(), "level=INFO msg=listening address="+taken+"\n")
	f.refuses()
	f.addr = taken
	require.Equal(t, map[string]int{"a": 3}, f.share(3))
	kept.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, body := kept.Response("GET")
	require.Equal(t, "a", body)
	f.stop()
	f.refuses()
	require.NoError(t, f.ended())
}

func TestRemovedBackendEndsWhatItHasInFlight(t *testing.T) {
	url, arrived, release := held(t)
	a := newSample(t, "a")
	slow := &sample{Server: &httptest.Server{URL: url}}
	f := startFiled(t, file("", slow))
	busy := testkit.Dial(t, f.addr)
	busy.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	f.reload(file("", a))
	f.log.await(t, `"backend is up" backend=`+a.URL)
	require.Equal(t, map[string]int{"a": 3}, f.share(3))
	release <- true
	_, body := busy.Response("GET")
	require.Equal(t, "done", body)
	f.stop()
	require.NoError(t, f.ended())
	require.NotContains(t, f.log.String(), "were cut")
}

func TestRemovedBackendIsCutWhenItsTimeIsOver(t *testing.T) {
	url, arrived, _ := held(t)
	slow := &sample{Server: &httptest.Server{URL: url}}
	f := startFiled(t, file("", slow))
	var busy []*testkit.Peer
	for range 3 {
		p := testkit.Dial(t, f.addr)
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-arrived
		busy = append(busy, p)
	}
	f.reload(file(`"shutdown_timeout": "50ms"`, newSample(t, "a")))
	for _, p := range busy {
		response, body := p.Response("GET")
		require.Equal(t, 503, response.StatusCode)
		require.Equal(t, "503 Service Unavailable: backend_removed\n", body)
	}
	f.log.await(t, `level=WARN msg="requests to a removed backend were cut" backend=`+url+` requests=3\n`)
	f.stop()
	require.NoError(t, f.ended(), "they are not cut by the shutdown")
	require.Equal(t, 3, strings.Count(f.access.String(), " cause=backend_removed\n"))
}

func TestConnectionsToARemovedBackendAreClosedWhenItHasDrained(t *testing.T) {
	for _, path := range []string{"/", "/health"} { // those of requests, and that of probes
		t.Run(path, func(t *testing.T) {
			url, ended := kept(t, path)
			f := startFiled(t, file("", &sample{Server: &httptest.Server{URL: url}}))
			status, _ := f.get("/")
			require.Equal(t, 200, status)
			f.reload(file("", newSample(t, "a")))
			require.NoError(t, <-ended, "in order")
		})
	}
}

// A shutdown does not wait for the drain of a removed backend beyond its own.
func TestShutdownEndsDrains(t *testing.T) {
	url, arrived, _ := held(t)
	slow := &sample{Server: &httptest.Server{URL: url}}
	f := startFiled(t, file(`"shutdown_timeout": "1h"`, slow))
	testkit.Dial(t, f.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	f.reload(file(`"shutdown_timeout": "1h"`, newSample(t, "a")))
	f.stop()
	f.hurry()
	require.EqualError(t, f.ended(), "connections that had not ended in time were cut: 1")
}

func TestReloadDuringAShutdownIsIgnored(t *testing.T) {
	url, arrived, release := held(t)
	slow := &sample{Server: &httptest.Server{URL: url}}
	f := startFiled(t, file("", slow))
	testkit.Dial(t, f.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	f.stop()
	f.refuses()
	f.write(t, file("", newSample(t, "a")))
	f.asked <- syscall.SIGHUP
	time.Sleep(20 * time.Millisecond) // in which nothing is to happen
	release <- true
	require.NoError(t, f.ended())
	require.Zero(t, f.said())
}

func TestShutdownTimeoutIsTheOneReloadedLast(t *testing.T) {
	url, arrived, _ := held(t)
	slow := &sample{Server: &httptest.Server{URL: url}}
	f := startFiled(t, file(`"shutdown_timeout": "1h"`, slow))
	testkit.Dial(t, f.addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	f.reload(file(`"shutdown_timeout": "10ms"`, slow))
	f.stop()
	require.EqualError(t, f.ended(), "connections that had not ended in time were cut: 1")
}

func TestLogsFollowAReload(t *testing.T) {
	a := newSample(t, "a")
	f := startFiled(t, file(`"$schema": ""`, a))
	logs := func(text string) string { return strings.Replace(file("", a), `"level": "debug"`, text, 1) }
	p := testkit.Dial(t, f.addr)
	get := func(path string) {
		t.Helper()
		for _, target := range []string{path, "/"} { // what is answered after another is so when that is over and logged
			p.Sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			response, _ := p.Response(http.MethodGet)
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
	}
	get("/1?q")
	f.reload(logs(`"level": "debug", "access": false`))
	get("/2?q")
	f.reload(logs(`"level": "info", "query": true`))
	before := len(f.log.String())
	get("/3?q")
	require.NotContains(t, f.log.String()[before:], "level=DEBUG")
	f.stop()
	require.NoError(t, f.ended())
	require.Contains(t, f.access.String(), " path=/1 ")
	require.NotContains(t, f.access.String(), "/2")
	require.Regexp(t, ` path="?/3\?q"? |query="?q`, f.access.String())
}

func TestSIGHUPReloadsAProcess(t *testing.T) {
	a, b := newSample(t, "a"), newSample(t, "b")
	path := filepath.Join(t.TempDir(), "proxy.json")
	require.NoError(t, os.WriteFile(path, []byte(file("", a)), 0o644))
	cmd, stderr := process(t, "PROXY_CONFIG="+path)
	r := &running{t: t, addr: stderr.await(t, `msg=ready address=(\S+)`)}
	require.NoError(t, os.WriteFile(path, []byte(file("", b)), 0o644))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	stderr.await(t, `msg="backend is up" backend=`+b.URL)
	_, name := r.get("/")
	require.Equal(t, "b", name)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// Settings reach the part that they concern by a reload as they do at the start.
func TestSettingsAreInForceAfterAReload(t *testing.T) {
	probed := make(chan string, 100)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health", "/ready":
			probed <- r.URL.Path
		case "/slow":
			<-r.Context().Done()
		case "/abort":
			panic(http.ErrAbortHandler)
		default:
			w.Write([]byte(r.Header.Get("X-Forwarded-For")))
		}
	})
	a, b := &sample{Server: httptest.NewServer(answer)}, &sample{Server: httptest.NewServer(answer)}
	defer a.Close()
	defer b.Close()
	f := startFiled(t, file(`"health": {"interval": "1h", "passive_fall": 1000}`, a, b))
	require.Equal(t, "/health/health", <-probed+<-probed)
	forwarded := func() string {
		p := testkit.Dial(t, f.addr)
		p.Send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
		_, body := p.Response("GET")
		return body
	}
	require.Equal(t, "127.0.0.1", forwarded())

	f.reload(file(`"health": {"interval": "1h", "path": "/ready", "passive_fall": 3}, "trusted_proxies": ["127.0.0.1"], "timeouts": {"response_head": "50ms"}`, a, b))
	require.Equal(t, "/ready/ready", <-probed+<-probed)
	require.Equal(t, "192.0.2.1, 127.0.0.1", forwarded())
	status, _ := f.get("/slow")
	require.Equal(t, 504, status)
	for range 3 { // two failures for each
		f.get("/abort")
	}
	require.NotContains(t, f.log.String(), "backend is down")
	f.get("/abort")
	f.log.await(t, `msg="backend is down" .* reason="reset_before_response`)
	require.Equal(t, "/ready", <-probed, "and is probed as it is now")
}

func TestCapsOnConnectionsAreThoseReloadedLast(t *testing.T) {
	a := newSample(t, "a")
	f := startFiled(t, file(`"limits": {"connections": 1}`, a))
	first := f.asks()
	require.Equal(t, "a", first())
	require.Empty(t, f.asks()(), "there is one")
	f.reload(file(`"limits": {"connections_per_client": 2}`, a))
	require.Equal(t, "a", f.asks()())
	require.Empty(t, f.asks()(), "there are two, and one was there before")
	require.Equal(t, "a", first())
}

// asks returns what asks for something over a connection of its own, which is
// kept. The answer is "" if the proxy does not keep it.
func (f *filed) asks() func() (body string) {
	conn, err := net.Dial("tcp", f.addr)
	if err != nil { // the reset may be quicker
		return func() string { return "" }
	}
	p := testkit.NewPeer(f.t, conn)
	return func() string {
		p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if p.Head() == "" {
			return ""
		}
		return p.Take(1)
	}
}
