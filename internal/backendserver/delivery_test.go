package backendserver

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelayIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		began := time.Now()
		send(t, conn, "GET /?delay=90s&size=1 HTTP/1.1", "Host: h") // longer than any stall
		resp, body := readResponse(t, conn, http.MethodGet)
		require.Equal(t, 90*time.Second, time.Since(began))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "0", body)
		require.NoError(t, b.stop())
	})
}

func TestDelayEndsWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?delay=1h HTTP/1.1", "Host: h")
		time.Sleep(time.Second)
		require.Equal(t, 1, b.server.conns.active())
		conn.Close()
		synctest.Wait()
		require.Equal(t, 0, b.server.conns.active())
		require.NoError(t, b.stop())
	})
}

func TestDripIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := time.Second
		require.Equal(t, []flush{{0, 3}, {second, 6}, {2 * second, 7}},
			record("/?size=7&piece=3&drip=1s").seen)
		require.Equal(t, []flush{{0, 0}, {0, 4}, {second, 8}},
			record("/?size=8&piece=4&drip=1s&chunked=on").seen, "the head of an answer without length goes first")

		tenths := record("/?size=1000&drip=1s").seen
		require.Len(t, tenths, 10)
		require.Equal(t, flush{9 * second, 1000}, tenths[9])
	})
}

func TestDripEndsWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?size=10&drip=1h HTTP/1.1", "Host: h")
		_, err := conn.Read(make([]byte, 4096))
		require.NoError(t, err)
		conn.Close()
		synctest.Wait()
		require.Equal(t, 0, b.server.conns.active())
		require.NoError(t, b.stop())
	})
}

func TestBodyThatStallsIsGivenUpAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "POST / HTTP/1.1", "Host: h", "Content-Length: 50", "", "ab")
		began := time.Now()
		resp, body := readResponse(t, conn, http.MethodPost)
		require.Equal(t, 60*time.Second, time.Since(began))
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		require.Equal(t, "nothing came for 1m0s\n", body)
		require.True(t, resp.Close)
		require.NoError(t, b.stop())
	})
}

func TestBodyThatMovesLivesAndSoDoesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "POST /?size=1 HTTP/1.1", "Host: h", "Content-Length: 30")
		for range 30 {
			time.Sleep(59 * time.Second)
			_, err := io.WriteString(conn, "x")
			require.NoError(t, err)
		}
		resp, body := readResponse(t, conn, http.MethodPost)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "0", body)
		require.NoError(t, b.stop())
	})
}

func TestClientThatTakesNothingIsGivenUpAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?size=1GiB HTTP/1.1", "Host: h")
		time.Sleep(60*time.Second - time.Nanosecond)
		synctest.Wait()
		require.Equal(t, 1, b.server.conns.active())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, 0, b.server.conns.active())
		require.NoError(t, b.stop())
	})
}

func TestClientThatTakesALittleLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?size=1MiB HTTP/1.1", "Host: h", "Connection: close")
		total := 0
		for buf := make([]byte, 32<<10); ; {
			time.Sleep(29 * time.Second) // 16 minutes for all of it
			n, err := io.ReadFull(conn, buf)
			if total += n; err != nil {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				break
			}
		}
		require.Greater(t, total, 1<<20)
		require.NoError(t, b.stop())
	})
}

func TestSlowAnswerDoesNotSpoilTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		for range 3 {
			send(t, conn, "GET /?status=204 HTTP/1.1", "Host: h")
			resp, _ := readResponse(t, conn, http.MethodGet)
			require.Equal(t, http.StatusNoContent, resp.StatusCode)
			time.Sleep(70 * time.Second) // longer than the stall, less than the server keeps it
		}
		require.NoError(t, b.stop())
	})
}
