package backendserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHealthBytes(t *testing.T) {
	conn := dial(t, start(t, false))
	send(t, conn, "GET /health HTTP/1.1", "Host: h", "Connection: close")
	raw, err := io.ReadAll(conn)
	require.NoError(t, err)
	head, body := headOf(t, raw)
	require.Equal(t, "OK\n", body)
	lines := strings.Split(head, "\r\n")
	require.Equal(t, "HTTP/1.1 200 OK", lines[0])
	require.Contains(t, lines, "Content-Type: text/plain; charset=utf-8")
	require.Contains(t, lines, "Content-Length: 3")
	require.Contains(t, lines, "X-Backend: 8081")
}

func TestHealthIsSwitched(t *testing.T) {
	server := start(t, true)
	post := func(query, want string) {
		resp, body := fetch(t, http.MethodPost, server.URL+"/faults/health?"+query)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "health:   "+want+"\nrequests: no fault\n", body)
	}
	get := func(status int, want string) {
		resp, body := fetch(t, http.MethodGet, server.URL+"/health")
		require.Equal(t, status, resp.StatusCode)
		require.Equal(t, want, body)
	}
	post("state=down", "down")
	get(http.StatusServiceUnavailable, "DOWN\n")
	post("state=up", "up")
	get(http.StatusOK, "OK\n")
	post("flap=1h", "up, changing every 1h0m0s")
	get(http.StatusOK, "OK\n")
	post("state=up", "up")
	get(http.StatusOK, "OK\n")
}

func TestHealthHangsUntilTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		require.NoError(t, b.handler.lab.health.set(url.Values{"state": {"hang"}}))
		conn := b.dial()
		send(t, conn, "GET /health HTTP/1.1", "Host: h")
		time.Sleep(24 * time.Hour) // virtual; also: no deadline of the server's cuts a hang
		require.Equal(t, 1, b.server.conns.active())
		conn.Close()
		synctest.Wait()
		require.Equal(t, 0, b.server.conns.active())
		require.NoError(t, b.stop())
	})
}

func TestHealthFlapsToTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		time.Sleep(time.Second) // virtual, like all below: the order counts, not the start
		require.NoError(t, h.set(url.Values{"flap": {"2s"}}))
		for range 3 {
			requireHealth(t, &h, http.StatusOK, "up, changing every 2s")
			time.Sleep(2*time.Second - time.Nanosecond)
			requireHealth(t, &h, http.StatusOK, "up, changing every 2s")
			time.Sleep(time.Nanosecond)
			requireHealth(t, &h, http.StatusServiceUnavailable, "down, changing every 2s")
			time.Sleep(2*time.Second - time.Nanosecond)
			requireHealth(t, &h, http.StatusServiceUnavailable, "down, changing every 2s")
			time.Sleep(time.Nanosecond)
		}
		require.NoError(t, h.set(url.Values{"state": {"up"}}))
		time.Sleep(2 * time.Second)
		requireHealth(t, &h, http.StatusOK, "up")
	})
}

func requireHealth(t *testing.T, h *health, status int, text string) {
	t.Helper()
	a, _ := h.answer(ordinary())
	require.Equal(t, status, a.status)
	require.Equal(t, text, h.String())
}

func TestHealthTakesTheRequestsOwnFault(t *testing.T) {
	handler := NewHandler(testIdentity, true)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/health?status=418", nil))
	require.Equal(t, http.StatusTeapot, w.Code)
	require.Equal(t, "OK\n", w.Body.String())
}
