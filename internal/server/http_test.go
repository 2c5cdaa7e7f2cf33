package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
	"go-proxy/internal/server"
)

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

var (
	timeouts = config.Timeouts{ClientHead: 10 * time.Second, ClientIdle: 75 * time.Second}
	limits   = config.Limits{HeaderBytes: 8 << 10}
)

// serve runs a net/http plane with the handler.
func (r *rig) serve(handler http.HandlerFunc) {
	r.run(server.NewHTTP(handler, timeouts, limits, slog.New(slog.DiscardHandler)))
}

// held is a handler whose requests wait to be released, whatever happens.
type held struct {
	release chan bool
	over    <-chan struct{} // the test

	mu       sync.Mutex
	contexts []context.Context // of the requests that came
}

func newHeld(t *testing.T) *held { return &held{release: make(chan bool), over: t.Context().Done()} }

func (h *held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.contexts = append(h.contexts, r.Context())
	h.mu.Unlock()
	select {
	case <-h.release:
	case <-h.over:
	}
}

// last is the context of the request that came last.
func (h *held) last() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.contexts[len(h.contexts)-1]
}

func TestARequestKnowsItsConnection(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		r.dial().send(get)
		require.NotNil(t, netconn.FromContext(h.last()))
		close(h.release)
	})
}

func TestAConnectionIsBusyFromRequestToAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		p := r.dial()
		for range 2 {
			p.send(get)
			conn := netconn.FromContext(h.last())
			require.True(t, conn.Busy())
			h.release <- true
			p.response()
			synctest.Wait()
			require.False(t, conn.Busy())
		}
	})
}

func TestRequestsInFlightAreAnsweredAndTheirConnectionsClosed(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		idle, busy := r.dial(), r.dial()
		idle.send(get)
		h.release <- true
		idle.response()
		busy.send(get)
		r.stop()
		require.Zero(t, idle.cut())
		time.Sleep(grace / 2)
		h.release <- true
		response := busy.response()
		require.Equal(t, 200, response.StatusCode)
		require.True(t, response.Close)
		require.Zero(t, busy.cut())
		got := <-r.ended
		require.NoError(t, got.err)
		require.Zero(t, got.cut)
		require.InDelta(t, grace/2, got.after, float64(time.Second)) // net/http looks twice a second
	})
}

func TestAClientThatOnlyConnectsHoldsNothingUp(t *testing.T) {
	bubble(t, func(r *rig) {
		r.serve(http.NotFound)
		p := r.dial()
		r.stop()
		require.Equal(t, end{}, <-r.ended)
		require.Zero(t, p.cut())
	})
}

func TestATunnelIsBusyUntilItsConnectionIsClosed(t *testing.T) {
	for name, closes := range map[string]bool{"by itself": true, "or cut": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				tunnel := make(chan net.Conn, 1)
				r.serve(func(w http.ResponseWriter, _ *http.Request) {
					conn, _, _ := http.NewResponseController(w).Hijack()
					tunnel <- conn
				})
				r.dial().send(get)
				r.stop()
				time.Sleep(grace - time.Second)
				synctest.Wait()
				require.Empty(t, r.ended)
				if closes {
					(<-tunnel).Close()
					require.Zero(t, (<-r.ended).cut)
				} else {
					require.Equal(t, end{cut: 1, after: grace}, <-r.ended)
				}
			})
		})
	}
}

// watched is a connection that says when it is being closed.
type watched struct {
	net.Conn
	closing func()
}

func (w *watched) Close() error {
	w.closing()
	return w.Conn.Close()
}

// The other way round a request would seem to be left by its client.
func TestRequestsAreCancelledBeforeTheirConnectionsAreCut(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		ours, theirs := net.Pipe()
		causes := make(chan error, 10)
		p := r.dialOver(&watched{ours, func() { causes <- context.Cause(h.last()) }}, theirs)
		p.send(get)
		r.stop()
		r.hurry()
		require.Equal(t, &hop.Failure{Cause: hop.Shutdown}, <-causes)
		close(h.release)
		require.Equal(t, 1, (<-r.ended).cut)
	})
}

func TestCloseWaitsForHandlers(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		for range 2 {
			r.dial().send(get)
		}
		r.stop()
		for range 2 {
			require.Empty(t, r.ended)
			time.Sleep(time.Second)
			synctest.Wait()
			if len(r.ended) == 0 {
				r.hurry()
			}
			time.Sleep(time.Second)
			h.release <- true
		}
		require.InDelta(t, 4*time.Second, (<-r.ended).after, float64(10*time.Millisecond))
	})
}

func TestCloseDoesNotWaitForeverForHandlers(t *testing.T) {
	bubble(t, func(r *rig) {
		h := newHeld(r.t)
		r.serve(h.ServeHTTP)
		r.dial().send(get)
		r.stop()
		r.hurry()
		require.InDelta(t, 5*time.Second, (<-r.ended).after, float64(10*time.Millisecond))
		close(h.release)
	})
}

func TestAHeadThatComesTooSlowlyEndsTheConnection(t *testing.T) {
	bubble(t, func(r *rig) {
		r.serve(http.NotFound)
		p := r.dial()
		go func() {
			for range 5 { // however it trickles
				io.WriteString(p, "G")
				time.Sleep(time.Second)
			}
		}()
		require.Equal(t, timeouts.ClientHead, p.cut())
	})
}

func TestAnIdleConnectionEnds(t *testing.T) {
	bubble(t, func(r *rig) {
		r.serve(func(http.ResponseWriter, *http.Request) {})
		p := r.dial()
		p.send(get)
		p.response()
		require.Equal(t, timeouts.ClientIdle, p.cut())
	})
}

func TestAHeadThatIsTooLargeIsRefused(t *testing.T) {
	bubble(t, func(r *rig) {
		r.serve(http.NotFound)
		p := r.dial()
		p.send("GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("x", 16<<10) + "\r\n\r\n")
		require.Equal(t, 431, p.response().StatusCode)
		p.cut()
	})
}

func TestOptionsAsteriskReachesTheHandler(t *testing.T) {
	bubble(t, func(r *rig) {
		r.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		p := r.dial()
		p.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, http.StatusTeapot, p.response().StatusCode)
	})
}

func TestWhatNetHTTPHasToSayIsAWarning(t *testing.T) {
	bubble(t, func(r *rig) {
		var text strings.Builder
		r.run(server.NewHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }),
			timeouts, limits, slog.New(slog.NewTextHandler(&text, nil))))
		p := r.dial()
		p.send(get)
		p.cut()
		r.stop()
		require.Zero(t, (<-r.ended).cut, "its handler has ended")
		require.Contains(t, text.String(), `level=WARN msg="http: panic serving`)
		require.Contains(t, text.String(), "oops")
	})
}

func TestTheNetHTTPPlaneReportsWhatEndsIt(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run(server.NewHTTP(http.NotFoundHandler(), timeouts, limits, slog.New(slog.DiscardHandler)))
		r.listener.failed <- io.ErrUnexpectedEOF
		require.ErrorIs(t, (<-r.ended).err, io.ErrUnexpectedEOF)
	})
}

// A plane does not depend on whose connections it serves.
func TestTheNetHTTPPlaneServesAnyListener(t *testing.T) {
	bubble(t, func(r *rig) {
		var known *netconn.Conn
		plane := server.NewHTTP(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			known = netconn.FromContext(req.Context())
		}), timeouts, limits, slog.New(slog.DiscardHandler))
		go func() { r.ended <- end{err: plane.Serve(r.listener)} }()
		p := r.dial()
		p.send(get)
		require.Equal(t, 200, p.response().StatusCode)
		require.Nil(t, known)
		plane.Close()
		require.NoError(t, (<-r.ended).err)
	})
}
