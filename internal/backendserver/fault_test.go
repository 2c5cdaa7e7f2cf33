package backendserver

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusAndSize(t *testing.T) {
	server := start(t, true)
	resp, body := fetch(t, http.MethodGet, server.URL+"/any/path?status=503")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Regexp(t, `(?m)^  target +/any/path\?status=503$`, body)

	resp, body = fetch(t, http.MethodGet, server.URL+"/?size=1MiB&status=404&x=1")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, int64(1<<20), resp.ContentLength)
	want, err := io.ReadAll(Content(1 << 20))
	require.NoError(t, err)
	require.True(t, body == string(want), "the pseudo content, byte for byte")

	resp, body = fetch(t, http.MethodGet, server.URL+"/?size=0")
	require.Equal(t, int64(0), resp.ContentLength)
	require.Empty(t, body)
}

func TestChunkedHasNoContentLength(t *testing.T) {
	server := start(t, true)
	for _, query := range []string{"chunked=on&size=5", "chunked=on&size=0", "chunked=on&size=300KiB", "chunked=on"} {
		conn := dial(t, server)
		send(t, conn, "GET /?"+query+" HTTP/1.1", "Host: h")
		resp, _ := readResponse(t, conn, http.MethodGet)
		require.Equal(t, []string{"chunked"}, resp.TransferEncoding, query)
		require.Empty(t, resp.Header.Get("Content-Length"))
	}
}

func TestStatusWithoutContent(t *testing.T) {
	server := start(t, true)
	for status, length := range map[string][]string{"204": nil, "304": nil, "205": {"0"}} {
		conn := dial(t, server)
		send(t, conn, "GET /?size=10&status="+status+" HTTP/1.1", "Host: h", "Connection: close")
		raw, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(raw), "\r\n\r\n"), "no byte behind the head")
		resp, _ := readResponse(t, strings.NewReader(string(raw)), http.MethodGet)
		require.Equal(t, length, resp.Header.Values("Content-Length"), status)
	}
}

// headOf splits what came at the end of the head.
func headOf(t *testing.T, raw []byte) (head, body string) {
	t.Helper()
	head, body, found := strings.Cut(string(raw), "\r\n\r\n")
	require.True(t, found, "%q", raw)
	return head, body
}

func TestFaultsBeforeTheHead(t *testing.T) {
	server := start(t, true)
	for _, c := range []struct {
		kind, want string
		err        error
	}{
		{"close", "", nil},
		{"reset", "", syscall.ECONNRESET},
		{"garbage", "this is no HTTP\r\n\r\n", nil},
	} {
		conn := dial(t, server)
		send(t, conn, "GET /?fault="+c.kind+" HTTP/1.1", "Host: h")
		got, err := io.ReadAll(conn)
		require.ErrorIs(t, err, c.err, c.kind)
		require.Equal(t, c.want, string(got), c.kind)
	}
}

func TestCloseIsAFINEvenWithBytesUnread(t *testing.T) {
	conn := dial(t, start(t, true))
	send(t, conn, "GET /?fault=close HTTP/1.1", "Host: h", "", strings.Repeat("x", 64<<10)) // more than net/http reads ahead
	n, err := conn.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
}

func TestFaultsInTheBody(t *testing.T) {
	server := start(t, true)
	half, err := io.ReadAll(Content(20_000))
	require.NoError(t, err)
	for kind, want := range map[string]error{"close-body": nil, "reset-body": syscall.ECONNRESET} {
		conn := dial(t, server)
		send(t, conn, "GET /?size=40000&fault="+kind+" HTTP/1.1", "Host: h")
		raw, err := io.ReadAll(conn)
		require.ErrorIs(t, err, want, kind)
		head, body := headOf(t, raw)
		require.True(t, strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n"), kind)
		require.Contains(t, head, "\r\nContent-Length: 40000\r\n", kind)
		require.Equal(t, string(half), body, kind)
	}
}

func TestChunkedBodyCutHasNoLastChunk(t *testing.T) {
	conn := dial(t, start(t, true))
	send(t, conn, "GET /?size=8&chunked=on&fault=close-body HTTP/1.1", "Host: h")
	raw, err := io.ReadAll(conn)
	require.NoError(t, err)
	_, body := headOf(t, raw)
	require.Equal(t, "4\r\n0123\r\n", body)
}

func TestDripSendsAllPiecesToTheEnd(t *testing.T) {
	server := start(t, true)
	for _, query := range []string{"size=7&piece=3&drip=1ms", "size=7&drip=1ms", "size=7&piece=100&drip=1ms", "size=7&drip=1ms&chunked=on"} {
		resp, body := fetch(t, http.MethodGet, server.URL+"/?"+query)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "0123456", body, query)
	}
}

func TestDripShowsEachPieceAsAChunk(t *testing.T) {
	conn := dial(t, start(t, true))
	send(t, conn, "GET /?size=7&piece=3&drip=1ms&chunked=on HTTP/1.1", "Host: h", "Connection: close")
	raw, err := io.ReadAll(conn)
	require.NoError(t, err)
	_, body := headOf(t, raw)
	require.Equal(t, "3\r\n012\r\n3\r\n345\r\n1\r\n6\r\n0\r\n\r\n", body)
}

func TestHangEndsOnRelease(t *testing.T) {
	handler := NewHandler(testIdentity, true)
	server := startHandler(t, handler)
	conn := dial(t, server)
	send(t, conn, "POST /?fault=hang HTTP/1.1", "Host: h", "Expect: 100-continue", "Content-Length: 1")
	first := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	_, err := io.ReadFull(conn, first) // the request is in the handler's hands
	require.NoError(t, err)
	_, err = io.WriteString(conn, "x")
	require.NoError(t, err)
	handler.Release()
	handler.Release() // once more does no harm
	rest, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Empty(t, rest)
}

func TestBadParametersAreAllNamed(t *testing.T) {
	server := start(t, true)
	resp, body := fetch(t, http.MethodGet, server.URL+
		"/health?delay=soon&status=99&size=-1&chunked=yes&drip=0s&piece=0&fault=explode")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "8081", resp.Header.Get("X-Backend"))
	requireGolden(t, "parameters.golden", body)

	resp, body = fetch(t, http.MethodGet, server.URL+"/?delay=1h&delay=2h")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "delay: query parameter: \"1h, 2h\": given more than once; valid: a duration above 0, such as 10s or 1m30s\n", body)
}

func TestWithoutFaultsParametersAndPathsAreEchoed(t *testing.T) {
	server := start(t, false)
	for _, target := range []string{"/?fault=reset", "/?delay=soon&status=500", "/faults", "/faults/health?state=down"} {
		resp, body := fetch(t, http.MethodPost, server.URL+target)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Contains(t, body, "  target           "+target+"\n", target)
	}
	_, body := fetch(t, http.MethodGet, server.URL+"/health?status=500")
	require.Equal(t, "OK\n", body)
}
