package lab

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startBackend runs a Backend and returns its address.
func startBackend(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { new(Backend).Serve(l) })
	t.Cleanup(func() {
		l.Close()
		running.Wait() // connections that are idle do not hold it up
	})
	return l.Addr().String()
}

func TestBackendAnswersWhatItIsAskedFor(t *testing.T) {
	addr := startBackend(t)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for path, length := range map[string]int{"/": SmallBody, "/bytes/0": 0, "/bytes/65536": 65536} {
		for _, method := range []string{"GET", "POST"} {
			request, err := http.NewRequest(method, "http://"+addr+path, strings.NewReader(strings.Repeat("x", 100000)))
			require.NoError(t, err)
			response, err := client.Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Len(t, body, length)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n"))
	status, err := ReadAnswer(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadGateway, status)
	_, err = ReadAnswer(r)
	require.ErrorIs(t, err, errNoLength)
}

func TestPaceIsNeverFasterThanItsRate(t *testing.T) {
	l, err := Pace(context.Background(), startBackend(t), 4, 200, 500*time.Millisecond)
	require.NoError(t, err)
	require.Zero(t, l.Bad())
	require.Positive(t, l.Requests)
	require.LessOrEqual(t, l.Requests, 4+100) // the first of each connection, and then one every 20 ms
}
