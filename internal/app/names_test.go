package app_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/config"
	"go-proxy/internal/testkit"
)

// names is a name server with one answer for every name; "" for a failure.
type names struct{ atomic.Pointer[string] }

func (n *names) answer(addrs string) { n.Store(&addrs) }

func (n *names) lookup(context.Context, string, string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for text := range strings.FieldsSeq(*n.Load()) {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	if addrs == nil {
		return nil, errors.New("server misbehaving")
	}
	return addrs, nil
}

// server is one of several at one port.
type server struct {
	*httptest.Server
	probes atomic.Int64
}

// atEach serves at one port of each address, and answers with the address and
// the request's Host.
func atEach(t *testing.T, addrs ...string) (port string, servers map[string]*server) {
	t.Helper()
	servers = make(map[string]*server)
	port = "0"
	for _, addr := range addrs {
		listener, err := net.Listen("tcp", net.JoinHostPort(addr, port))
		require.NoError(t, err)
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		s := new(server)
		s.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				s.probes.Add(1)
			}
			io.WriteString(w, addr+" "+r.Host)
		})}}
		s.Start()
		t.Cleanup(s.Close)
		servers[addr] = s
	}
	return port, servers
}

// startNamed runs a proxy for http://api.test at the port.
func startNamed(t *testing.T, n *names, port string, flags ...string) *running {
	t.Helper()
	flags = append([]string{"-listen", "127.0.0.1:0", "-backends", "http://api.test:" + port, "-log-level", "debug"}, flags...)
	r := run(t, app.Inputs{Lookup: n.lookup}, flags...)
	r.addr = r.log.await(t, `msg=ready address=(\S+)`)
	return r
}

func shares(r *running, n int) map[string]int {
	return (&filed{running: r}).share(n)
}

func TestEveryAddressOfANameIsABackendThatComesAndGoes(t *testing.T) {
	port, _ := atEach(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	n := new(names)
	n.answer("127.0.0.2 127.0.0.1")
	r := startNamed(t, n, port, "-resolve", "all", "-resolve-interval", "20ms")
	host := " api.test:" + port
	require.Equal(t, map[string]int{"127.0.0.1" + host: 5, "127.0.0.2" + host: 5}, shares(r, 10), "with the name for its Host")
	identity := "http://api.test:" + port + "#127.0.0."
	require.Contains(t, r.log.String(), `"backend is up" backend=`+identity+"1 ")

	n.answer("127.0.0.3 127.0.0.1")
	r.log.await(t, `level=INFO msg="backends follow their names" added=\[`+identity+`3\] removed=\[`+identity+`2\] kept=\[`+identity+`1\]`)
	r.log.await(t, `"backend is up" backend=`+identity+"3 ")
	require.Equal(t, map[string]int{"127.0.0.1" + host: 5, "127.0.0.3" + host: 5}, shares(r, 10))

	n.answer("")
	r.log.await(t, `msg="name cannot be resolved; its last addresses stay in use" name=api.test addresses=2`)
	require.Equal(t, map[string]int{"127.0.0.1" + host: 5, "127.0.0.3" + host: 5}, shares(r, 10))
	require.Equal(t, 1, strings.Count(r.log.String(), `"backend is up" backend=`+identity+"1 "))
}

func TestANameWithAnotherAddressIsLeftForIt(t *testing.T) {
	port, servers := atEach(t, "127.0.0.1", "127.0.0.2")
	n := new(names)
	n.answer("127.0.0.1")
	r := startNamed(t, n, port, "-resolve-interval", "20ms", "-health-interval", "1h")
	host := " api.test:" + port
	require.Equal(t, map[string]int{"127.0.0.1" + host: 3}, shares(r, 3))
	n.answer("127.0.0.2")
	r.log.await(t, `msg="name resolved" name=api.test addresses=\[127.0.0.2\]`)
	require.Eventually(t, func() bool { _, who := r.get("/"); return who == "127.0.0.2"+host }, testkit.Patience, time.Millisecond,
		"connections to the old one are not kept")
	require.Equal(t, map[string]int{"127.0.0.2" + host: 3}, shares(r, 3))
	require.NotContains(t, r.log.String(), "backend is down")
	require.Eventually(t, func() bool { return servers["127.0.0.2"].probes.Load() == 1 }, testkit.Patience, time.Millisecond,
		"it is probed at its new address, at once")
}

func TestABackendThatCannotBeDialedIsResolvedAgain(t *testing.T) {
	port, servers := atEach(t, "127.0.0.1", "127.0.0.2")
	n := new(names)
	n.answer("127.0.0.1")
	r := startNamed(t, n, port, "-resolve-interval", "1h", "-health-interval", "500ms")
	n.answer("127.0.0.2")
	servers["127.0.0.1"].Close()
	r.log.await(t, `"backend is down"`)
	r.log.await(t, `msg="name resolved" name=api.test addresses=\[127.0.0.2\]`)
	r.log.await(t, `"backend is up" backend=http://api.test:\d+ from=down`)
	require.Equal(t, map[string]int{"127.0.0.2 api.test:" + port: 3}, shares(r, 3))
}

// The certificate is asked for by the name, whichever address is dialed.
func TestAnAddressOfANameIsVerifiedByTheName(t *testing.T) {
	asked := make(chan string, 100)
	addr := testkit.Script(t, func(p *testkit.Peer) {
		asked <- serverName(p)
	})
	_, port, _ := net.SplitHostPort(addr)
	n := new(names)
	n.answer("127.0.0.1")
	r := run(t, app.Inputs{Lookup: n.lookup}, "-listen", "127.0.0.1:0", "-resolve", "all", "-backends", "https://api.test:"+port, "-log-level", "debug")
	r.log.await(t, "msg=ready")
	require.Equal(t, "api.test", <-asked)
}

func TestANameThatCannotBeResolvedIsNoBackendUntilItCan(t *testing.T) {
	port, _ := atEach(t, "127.0.0.1")
	for _, mode := range []string{"one", "all"} {
		n := new(names)
		n.answer("")
		r := startNamed(t, n, port, "-resolve", mode, "-resolve-interval", "20ms", "-health-interval", "500ms")
		status, _ := r.get("/")
		require.Equal(t, 503, status)
		n.answer("127.0.0.1")
		r.log.await(t, `"backend is up"`)
		status, _ = r.get("/")
		require.Equal(t, 200, status, mode)
	}
}

func TestNamesOfAReloadAreResolvedBeforeItIsApplied(t *testing.T) {
	port, _ := atEach(t, "127.0.0.1", "127.0.0.2")
	a := newSample(t, "a")
	n := new(names)
	n.answer("127.0.0.1 127.0.0.2")
	env := map[string]string{"PROXY_LISTEN_ADDR": "127.0.0.1:0", "TARGET_BACKEND_URLS": a.URL, "BACKEND_RESOLVE": "all"}
	load := func() (*config.Config, error) {
		return config.Proxy(nil, func(name string) string { return env[name] })
	}
	r := run(t, app.Inputs{Lookup: n.lookup, Load: load})
	r.addr = r.log.await(t, `msg=ready address=(\S+)`)
	env["TARGET_BACKEND_URLS"] = "http://api.test:" + port
	r.asked <- nil
	r.log.await(t, `"configuration reloaded" changed=\[backends\] added="\[http://api.test:`+port+`#127.0.0.1 http://api.test:`+port+`#127.0.0.2\]" removed=\[`+a.URL+`\]`)
	r.log.await(t, `up" backend=\S+#127.0.0.2 `)
	r.log.await(t, `up" backend=\S+#127.0.0.1 `)
	require.Len(t, shares(r, 10), 2)
	env["BACKEND_RESOLVE"] = "one"
	r.asked <- nil
	r.log.await(t, `"configuration reloaded" changed=\[resolve\] added=\[http://api.test:`+port+`\] removed="\[http`)
}

// serverName reads a TLS ClientHello and returns the name it asks for.
func serverName(p *testkit.Peer) (name string) {
	seen := errors.New("seen")
	server := tls.Server(p.Conn, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, seen
	}})
	_ = server.Handshake()
	return name
}
