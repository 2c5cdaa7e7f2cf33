package backendserver

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func startTLS(t *testing.T, http2 bool) *httptest.Server {
	t.Helper()
	handler := NewHandler(testIdentity, true)
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(handler.Release)
	return server
}

func TestResetReachesThroughTLS(t *testing.T) {
	server := startTLS(t, false)
	plain := dial(t, server)
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	send(t, conn, "GET /?fault=reset HTTP/1.1", "Host: h")
	_, err := io.ReadAll(conn)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestInHTTP2AFaultResetsTheStream(t *testing.T) {
	server := startTLS(t, true)
	for _, kind := range []string{"close", "reset", "garbage"} {
		_, err := server.Client().Get(server.URL + "/?fault=" + kind)
		require.ErrorContains(t, err, "stream error", kind)
	}
	resp, err := server.Client().Get(server.URL + "/?size=10&fault=close-body")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.ErrorContains(t, err, "stream error")
	require.Equal(t, "01234", string(body))
}
