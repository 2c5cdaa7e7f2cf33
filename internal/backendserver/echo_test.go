package backendserver

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestEchoAsTextShowsEveryByteAsReceived(t *testing.T) {
	server := start(t, false)
	conn := dial(t, server)
	send(t, conn, "PUT //a%2Fb/../c;d?x=1;y=2&z=%zz[]{}| HTTP/1.1", "Host: example.org:99",
		"X-Two: second value", "Accept: */*", "X-Two: \xff\tb", "Content-Length: 3", "", "abc")
	resp, body := readResponse(t, conn, http.MethodPut)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Equal(t, "8081", resp.Header.Get("X-Backend"))
	require.Equal(t, int64(len(body)), resp.ContentLength)
	require.Equal(t, `request
  method          PUT
  target          //a%2Fb/../c;d?x=1;y=2&z=%zz[]{}|
  path            //a%2Fb/../c;d
  query           x=1;y=2&z=%zz[]{}|
  protocol        HTTP/1.1
  host            example.org:99
  remote address  `+conn.LocalAddr().String()+`
  content length  3
  body received   3 bytes
  body sha256     ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
headers
  Accept          */*
  Content-Length  3
  X-Two           second value
  X-Two           `+"\xff\tb"+`
served by
  hostname        box
  listening on    :8081
  reporting as    8081
`, body)
}

func TestEchoAsJSON(t *testing.T) {
	server := start(t, false)
	conn := dial(t, server)
	send(t, conn, "POST /p?a=1&b=<2>? HTTP/1.1", "Host: h", "Accept: text/plain, application/json;q=0.5",
		"B: 1", "B: 2", "Transfer-Encoding: chunked", "Trailer: Sum", "", "3", "abc", "0", "Sum: 6")
	resp, body := readResponse(t, conn, http.MethodPost)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.Equal(t, "Accept", resp.Header.Get("Vary"))
	require.Equal(t, `{
  "method": "POST",
  "target": "/p?a=1&b=<2>?",
  "path": "/p",
  "query": "a=1&b=<2>?",
  "protocol": "HTTP/1.1",
  "host": "h",
  "remote_address": "`+conn.LocalAddr().String()+`",
  "content_length": -1,
  "body": {
    "bytes": 3,
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  },
  "headers": {
    "Accept": [
      "text/plain, application/json;q=0.5"
    ],
    "B": [
      "1",
      "2"
    ]
  },
  "trailers": {
    "Sum": [
      "6"
    ]
  },
  "backend": {
    "hostname": "box",
    "listening_address": ":8081",
    "reporting_as": "8081"
  }
}
`, body)
}

func TestEchoTargets(t *testing.T) {
	server := start(t, false)
	for _, target := range []string{"/", "/?", "/a?", "/a??b", "/%41%2f", "//x//", "/ä\"?ä", "/faults", "/health/", "http://other/x?y"} {
		conn := dial(t, server)
		send(t, conn, "GET "+target+" HTTP/1.1", "Host: h", "Accept: application/json")
		_, body := readResponse(t, conn, http.MethodGet)
		var got echo
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.Equal(t, target, got.Target)
		path, query, _ := strings.Cut(target, "?")
		require.Equal(t, []string{path, query}, []string{got.Path, got.Query})
		require.Equal(t, received{0, emptySHA256}, got.Body)
	}
}

func TestHeadHasTheLengthOfGetAndNoBody(t *testing.T) {
	server := start(t, true)
	for _, path := range []string{"/health", "/?size=1GiB", "/?drip=1h", "/faults"} {
		conn := dial(t, server)
		send(t, conn, "HEAD "+path+" HTTP/1.1", "Host: h", "Connection: close")
		raw, err := io.ReadAll(conn)
		require.NoError(t, err)
		_, body := headOf(t, raw)
		require.Empty(t, body)
		resp, _ := readResponse(t, bytes.NewReader(raw), http.MethodHead)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Positive(t, resp.ContentLength)
		require.Equal(t, "8081", resp.Header.Get("X-Backend"))
	}
}

func TestBodyIsDigestedWhileItStreams(t *testing.T) {
	server := start(t, false)
	const size = 20 << 20
	req, err := http.NewRequest(http.MethodPost, server.URL, io.NopCloser(Content(size)))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var got echo
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	digest := sha256.New()
	_, err = io.Copy(digest, Content(size))
	require.NoError(t, err)
	require.Equal(t, received{size, hex.EncodeToString(digest.Sum(nil))}, got.Body)
}

func TestMalformedBodyIsRefusedAndTheConnectionClosed(t *testing.T) {
	server := start(t, false)
	conn := dial(t, server)
	send(t, conn, "POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "", "3", "abc", "zz", "")
	reply := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reply, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "after 3 bytes of the body: invalid byte in chunk length\n", string(body))
	require.True(t, resp.Close)
	_, err = reply.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestNoLineOfTheTextEndsInABlank(t *testing.T) {
	_, body := fetch(t, http.MethodGet, start(t, false).URL+"/", "Empty", "")
	require.NotRegexp(t, `(?m) $`, body)
	require.Contains(t, body, "  query\n")
}

func TestConnectIsRefused(t *testing.T) {
	conn := dial(t, start(t, false))
	send(t, conn, "CONNECT other:443 HTTP/1.1", "Host: other:443")
	resp, body := readResponse(t, conn, http.MethodConnect)
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	require.Equal(t, "CONNECT is not supported\n", body)
}

func TestOneMonstrousNameDoesNotWidenEveryLine(t *testing.T) {
	server := start(t, false)
	name := "X" + strings.Repeat("a", 5000)
	_, body := fetch(t, http.MethodGet, server.URL, name, "v")
	require.Less(t, len(body), 5000+2000)
	require.True(t, strings.Contains(body, fmt.Sprintf("  %s  v\n", name)))
}
