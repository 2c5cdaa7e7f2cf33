package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/bench/lab"
	"go-proxy/internal/accesslog"
	"go-proxy/internal/config"
	"go-proxy/internal/pool"
	"go-proxy/internal/proxy"
	"go-proxy/internal/server"
)

// newPool makes a pool of n backends that are all up.
func newPool(policy string, n int) *pool.ServerPool {
	backends := make([]config.Backend, n)
	for i := range backends {
		backends[i].URL = &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", 10000+i)}
		backends[i].Weight = 1 + i%3
	}
	settings := judging
	settings.Policy = policy
	return allUp(pool.New(backends, settings, nil))
}

// judging is by one result.
var judging = pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}}

func allUp(p *pool.ServerPool) *pool.ServerPool {
	for _, b := range p.Backends() {
		p.ObserveProbe(b, nil)
	}
	return p
}

// startBackend runs a lab.Backend and returns its address.
func startBackend(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	var running sync.WaitGroup
	running.Go(func() { new(lab.Backend).Serve(l) })
	tb.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// proxyConfig is the default but for the address and the backends.
func proxyConfig(tb testing.TB, backend string) *config.Config {
	tb.Helper()
	c, err := config.Proxy([]string{"-backends", "http://" + backend, "-listen", "127.0.0.1:0"}, func(string) string { return "" })
	require.NoError(tb, err)
	return c
}

// dialBackend connects to the address in the backend's URL.
func dialBackend(ctx context.Context, b *pool.Backend) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", b.Address())
}

// newHandler is the net/http plane with its access log on, written to nowhere.
func newHandler(tb testing.TB, c *config.Config) *proxy.Proxy {
	log := slog.New(slog.DiscardHandler)
	access := accesslog.New(io.Discard, c.Log, log)
	handler := proxy.New(allUp(pool.New(c.Backends, judging, nil)), c, dialBackend, access.Observe, log)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { access.Run(ctx) })
	tb.Cleanup(func() {
		handler.Close()
		cancel()
		running.Wait()
	})
	return handler
}

// startProxy serves the plane as the program does, and returns its address.
func startProxy(tb testing.TB, backend string) string {
	tb.Helper()
	c := proxyConfig(tb, backend)
	return serve(tb, c, newHandler(tb, c))
}

// serve serves any handler over our listener, so that handlers can be compared.
func serve(tb testing.TB, c *config.Config, handler http.Handler) string {
	tb.Helper()
	listener, err := server.Listen(c.Listen, c.Timeouts.WriteStall, time.Second, nil)
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		plane := server.NewHTTP(handler, c.Timeouts, c.Limits, slog.New(slog.DiscardHandler))
		listener.Run(ctx, ctx, plane)
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
		listener.Close()
	})
	return listener.Addr().String()
}

// client is one keep-alive connection that asks the same over and over and
// allocates nothing.
type client struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
}

func dial(tb testing.TB, addr, request string) *client {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(tb, err)
	tb.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReaderSize(conn, 32<<10), []byte(request)}
}

// ask makes one exchange.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := lab.ReadAnswer(c.r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// get is a request as a browser-like client makes it.
func get(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench/1.0\r\nAccept: text/html, */*;q=0.5\r\n" +
		"Accept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n\r\n"
}

func post(path string, size int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: www.example.com\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		path, size, strings.Repeat("x", size))
}
