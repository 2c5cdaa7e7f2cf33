package backendserver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRequestInFlightEndsAfterTheSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		idle := b.dial()
		send(t, idle, "GET /health HTTP/1.1", "Host: h")
		readResponse(t, idle, http.MethodGet)
		send(t, conn, "GET /?delay=29s&size=1 HTTP/1.1", "Host: h")
		synctest.Wait()
		began := time.Now()
		b.signals <- syscall.SIGTERM
		synctest.Wait()
		<-b.pipes.closed // stopped accepting at once
		_, err := idle.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		resp, body := readResponse(t, conn, http.MethodGet)
		require.Equal(t, 29*time.Second, time.Since(began))
		require.True(t, resp.Close, "no further request is invited")
		require.Equal(t, "0", body)
		require.NoError(t, <-b.result)
		require.Less(t, time.Since(began), 30*time.Second)
	})
}

func TestRequestsThatOutliveTheTimeoutAreCutAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		busy := []net.Conn{b.dial(), b.dial(), b.dial()}
		b.dial() // never sends anything: not in flight, not counted
		send(t, busy[0], "GET /?delay=1h HTTP/1.1", "Host: h")
		send(t, busy[1], "POST / HTTP/1.1", "Host: h", "Content-Length: 1")
		send(t, busy[2], "GET /?size=10&drip=1h HTTP/1.1", "Host: h")
		_, err := busy[2].Read(make([]byte, 4096))
		require.NoError(t, err)
		synctest.Wait()
		began := time.Now()
		require.EqualError(t, b.stop(), "requests still in flight after 30s: 3 connections cut")
		require.Equal(t, 30*time.Second, time.Since(began))
		for _, conn := range busy {
			_, err := conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		}
	})
}

func TestConnectionWithoutRequestDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubbleFor(t, time.Second) // http.Server by itself waits 5s for a request to come
		b.dial()
		synctest.Wait()
		began := time.Now()
		require.NoError(t, b.stop())
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		send(t, b.dial(), "GET /?delay=1h HTTP/1.1", "Host: h")
		synctest.Wait()
		began := time.Now()
		b.signals <- syscall.SIGTERM
		synctest.Wait()
		require.EqualError(t, b.stop(), "second signal: 1 connection cut")
		require.Zero(t, time.Since(began))
	})
}

func TestHangingAnswerDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?fault=hang HTTP/1.1", "Host: h")
		synctest.Wait()
		began := time.Now()
		b.signals <- syscall.SIGTERM
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.Zero(t, time.Since(began))
		require.NoError(t, <-b.result)
	})
}

// TestPipelinedRequestDoesNotOutliveTheServer: once a byte of a next request
// came, net/http does not see the connection go; the cut must reach the
// handler by the context.
func TestPipelinedRequestDoesNotOutliveTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /?delay=1h HTTP/1.1", "Host: h")
		synctest.Wait()
		_, err := conn.Write([]byte("G"))
		require.NoError(t, err)
		began := time.Now()
		require.EqualError(t, b.stop(), "requests still in flight after 30s: 1 connection cut")
		require.Equal(t, 30*time.Second, time.Since(began))
	})
}

func TestFailureToAcceptEndsTheProgram(t *testing.T) {
	b := newServer(NewHandler(testIdentity, false), new(buffer))
	broken := brokenListener{&pipes{}, errors.New("out of files")}
	require.EqualError(t, b.run(broken, nil, time.Second), "accept connections: out of files")
}

type brokenListener struct {
	net.Listener
	err error
}

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }

func (l brokenListener) Close() error { return nil }

func TestMalformedRequestsAreNotTheHandlersBusiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		_, err := io.WriteString(conn, "nonsense\r\n\r\n")
		require.NoError(t, err)
		resp, _ := readResponse(t, conn, http.MethodGet)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.NoError(t, b.stop())
	})
}

func TestHeadThatNeverEndsIsGivenUpAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		began := time.Now()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost:")
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 10*time.Second, time.Since(began))
		require.NoError(t, b.stop())
	})
}

func TestIdleConnectionIsClosedAfter75Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		conn := b.dial()
		send(t, conn, "GET /health HTTP/1.1", "Host: h")
		readResponse(t, conn, http.MethodGet)
		began := time.Now()
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 75*time.Second, time.Since(began))
		require.NoError(t, b.stop())
	})
}
