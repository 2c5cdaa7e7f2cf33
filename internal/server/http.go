package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
)

// HTTP is a Plane made of an http.Server and a handler.
type HTTP struct {
	handler  http.Handler
	server   *http.Server
	cancel   context.CancelCauseFunc // of every request
	inFlight atomic.Int64
}

// NewHTTP makes a plane that serves with the handler.
func NewHTTP(handler http.Handler, t config.Timeouts, l config.Limits, log *slog.Logger) *HTTP {
	base, cancel := context.WithCancelCause(context.Background())
	h := &HTTP{handler: handler, cancel: cancel}
	h.server = &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       connContext,
		ConnState:         noteBusy,
		ReadHeaderTimeout: t.ClientHead,
		IdleTimeout:       t.ClientIdle,
		MaxHeaderBytes:    int(l.HeaderBytes),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// OPTIONS * is a backend's to answer.
		DisableGeneralOptionsHandler: true,
	}
	return h
}

func connContext(ctx context.Context, c net.Conn) context.Context {
	if conn, ok := c.(*netconn.Conn); ok {
		return netconn.NewContext(ctx, conn)
	}
	return ctx
}

// noteBusy follows a connection from request to request. A tunnel is busy
// until its connection is closed.
func noteBusy(c net.Conn, state http.ConnState) {
	conn, ok := c.(*netconn.Conn)
	if !ok || state == http.StateHijacked {
		return
	}
	conn.SetBusy(state == http.StateActive)
}

// ServeHTTP counts the request while the handler has it.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.inFlight.Add(1)
	defer h.inFlight.Add(-1)
	h.handler.ServeHTTP(w, r)
}

// Serve implements Plane.
func (h *HTTP) Serve(l net.Listener) error {
	if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain implements Plane.
func (h *HTTP) Drain(ctx context.Context) {
	_ = h.server.Shutdown(ctx) // fails when ctx ends; Close does the rest
}

// closeTimeout bounds the wait for handlers whose connections are cut.
const closeTimeout = 5 * time.Second

// Close implements Plane. Requests are cancelled before their connections are
// cut, so that they end as cut by the proxy and not as left by the client.
func (h *HTTP) Close() {
	h.cancel(&hop.Failure{Cause: hop.Shutdown})
	h.server.Close()
	// net/http does not tell when handlers have ended; it polls here, too.
	for deadline := time.Now().Add(closeTimeout); h.inFlight.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}
