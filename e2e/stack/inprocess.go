package stack

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/backendserver"
	"go-proxy/internal/config"
)

// processHost runs everything in this process: backends on httptest servers,
// the proxy through app.Run.
type processHost struct{ t testing.TB }

func (h *processHost) backend(name string, _ int) instance {
	b := &processBackend{unable: unable{h.t}, t: h.t, at: "127.0.0.1:0"}
	h.t.Cleanup(func() { b.signal(syscall.SIGKILL) })
	return b
}

// processBackend is the sample backend's handler on an httptest server.
type processBackend struct {
	unable
	outputs
	t       testing.TB
	at      string
	server  *httptest.Server
	handler *backendserver.Handler
}

func (b *processBackend) start() {
	listener, err := net.Listen("tcp", b.at)
	require.NoError(b.t, err)
	b.at = listener.Addr().String()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	host, _ := os.Hostname()
	b.handler = backendserver.NewHandler(backendserver.Identity{Hostname: host, Listen: b.at, Name: port}, true)
	b.server = &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: b.handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), DisableGeneralOptionsHandler: true}}
	b.server.Start()
	b.out.Write([]byte("reporting as " + port + "\n"))
}

func (h *processHost) file(text string) (seen, here string) {
	path := filepath.Join(Files{proxyJSON: text}.folder(h.t), proxyJSON)
	return path, path
}

func (b *processBackend) addr() string     { return b.at }
func (b *processBackend) peerAddr() string { return b.at }

// signal ends the server; killed, it resets its connections.
func (b *processBackend) signal(s syscall.Signal) {
	if b.server == nil {
		return
	}
	b.handler.Release()
	if s == syscall.SIGKILL {
		b.server.Config.Close()
	}
	b.server.Close()
	b.server = nil
}

func (b *processBackend) wait() int { return 0 }

func (h *processHost) proxy(env map[string]string) instance {
	p := &processProxy{unable: unable{h.t}, t: h.t, env: env}
	h.t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		p.signal(syscall.SIGTERM)
		p.wait()
	})
	return p
}

// processProxy is app.Run, with contexts for signals.
type processProxy struct {
	unable
	outputs
	t           testing.TB
	env         map[string]string
	mu          sync.Mutex
	stop, hurry context.CancelFunc
	asked       chan os.Signal
	ended       chan struct{}
	code        int
}

func (p *processProxy) start() {
	if _, set := p.env["PROXY_LISTEN_ADDR"]; !set {
		p.env["PROXY_LISTEN_ADDR"] = "127.0.0.1:0"
	}
	load := func() (*config.Config, error) {
		return config.Proxy(nil, func(name string) string { return p.env[name] })
	}
	c, err := load()
	require.NoError(p.t, err)
	var ctx, hurry context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	hurry, p.hurry = context.WithCancel(context.Background())
	p.ended = make(chan struct{})
	level := new(slog.LevelVar)
	require.NoError(p.t, level.UnmarshalText([]byte(c.Log.Level)))
	log := slog.New(slog.NewTextHandler(&p.err, &slog.HandlerOptions{Level: level}))
	p.asked = make(chan os.Signal, 1)
	go func() {
		defer close(p.ended)
		if err := app.Run(ctx, hurry, c, app.Inputs{Load: load, Asked: p.asked, Level: level}, &p.out, log); err != nil {
			log.Error("stopped", "error", err)
			p.code = 1
		}
	}()
}

func (p *processProxy) addr() string     { return p.err.Await(p.t, ready) }
func (p *processProxy) peerAddr() string { return p.addr() }

// signal does what the program does with its first and its second signal, and
// with SIGHUP.
func (p *processProxy) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == syscall.SIGHUP {
		p.asked <- s
		return
	}
	if p.stop != nil {
		p.stop()
		p.stop = nil
		return
	}
	if p.hurry != nil { // else it never started
		p.hurry()
	}
}

func (p *processProxy) wait() int {
	if p.ended == nil { // never started: its settings were refused
		return 2
	}
	awaitEnd(p.t, p.ended, "the proxy")
	return p.code
}
