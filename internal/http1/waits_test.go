package http1

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// Every wait ends in time, and has its own cause: in virtual time, over pipes.

// pipes is a listener whose connections are pipes.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// bubble is a plane in virtual time, with one client and one backend.
type bubble struct {
	t        *testing.T
	plane    *Plane
	client   net.Conn
	backend  chan net.Conn // the plane's connections to it
	timeouts config.Timeouts
	records  []records.Record
	running  sync.WaitGroup // what the test lets peers do
}

func inBubble(t *testing.T, story func(*bubble)) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig(t, []string{"backend:1"})
		b := &bubble{t: t, backend: make(chan net.Conn, 10), timeouts: c.Timeouts}
		dial := func(context.Context, *pool.Backend) (net.Conn, error) {
			ours, theirs := net.Pipe()
			b.backend <- theirs
			return ours, nil
		}
		b.plane = New(testPool(c, nil), c, dial, func(r *records.Record) { b.records = append(b.records, *r) }, slog.New(slog.NewTextHandler(t.Output(), nil)))
		listener := make(pipes)
		served := make(chan error)
		go func() { served <- b.plane.Serve(listener) }()
		var accepted net.Conn
		b.client, accepted = net.Pipe()
		listener <- accepted
		defer func() {
			b.client.Close()
			b.plane.Close()
			require.NoError(t, <-served)
			b.running.Wait()
		}()
		story(b)
	})
}

// answers is a backend that reads one head and sends the text.
func (b *bubble) answers(text string) net.Conn {
	c := <-b.backend
	buf := make([]byte, 4096)
	_, _ = c.Read(buf)
	_, _ = io.WriteString(c, text)
	return c
}

// requireEnd reads until the plane ends the connection, which must be at the
// limit, or up to two ticks later.
func (b *bubble) requireEnd(start time.Time, limit time.Duration) string {
	b.t.Helper()
	rest, _ := io.ReadAll(b.client)
	took := time.Since(start)
	require.GreaterOrEqual(b.t, took, limit, "too early")
	require.LessOrEqual(b.t, took, limit+2*b.plane.sweeper.tick)
	return string(rest)
}

// requireRecord requires the one record to have the cause and the status.
func (b *bubble) requireRecord(cause hop.Cause, status int) {
	b.t.Helper()
	synctest.Wait()
	require.Len(b.t, b.records, 1)
	require.Equal(b.t, cause.String(), b.records[0].Cause.String())
	require.Equal(b.t, status, b.records[0].Status)
}

const plainGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestClientThatSendsNothingIsLeft(t *testing.T) {
	inBubble(t, func(b *bubble) {
		require.Empty(t, b.requireEnd(time.Now(), b.timeouts.ClientHead))
		require.Empty(t, b.records, "there was no request")
	})
}

func TestHeadThatDoesNotEndIsA408HoweverItTrickles(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() {
			for _, err := io.WriteString(b.client, "GET / HTTP/1.1\r\nA: "); err == nil; _, err = io.WriteString(b.client, "x") {
				time.Sleep(time.Second)
			}
		})
		got := b.requireEnd(time.Now(), b.timeouts.ClientHead)
		require.True(t, strings.HasPrefix(got, "HTTP/1.1 408 "), got)
		b.requireRecord(hop.ClientTimeout, 408)
	})
}

func TestUnusedConnectionOfAClientEnds(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { b.answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") })
		_, err := io.WriteString(b.client, plainGet)
		require.NoError(t, err)
		start := time.Now()
		b.requireEnd(start, b.timeouts.ClientIdle)
		b.requireRecord(hop.None, 200)
	})
}

func TestBodyThatStopsIsA408(t *testing.T) {
	inBubble(t, func(b *bubble) {
		got := make(chan string, 1)
		b.running.Go(func() {
			all, _ := io.ReadAll(<-b.backend)
			got <- string(all)
		})
		_, err := io.WriteString(b.client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
		require.NoError(t, err)
		answer := b.requireEnd(time.Now(), b.timeouts.ClientBody)
		require.True(t, strings.HasPrefix(answer, "HTTP/1.1 408 "), answer)
		require.True(t, strings.HasSuffix(<-got, "\r\n\r\nhalf"))
		b.requireRecord(hop.ClientTimeout, 408)
	})
}

func TestBackendThatDoesNotAnswerIsA504(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { b.answers("HTTP/1.1 200 OK\r\nA: ") })
		_, err := io.WriteString(b.client, plainGet)
		require.NoError(t, err)
		start := time.Now()
		buf := make([]byte, 4096)
		n, err := b.client.Read(buf)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(buf[:n]), "HTTP/1.1 504 "), string(buf[:n]))
		require.GreaterOrEqual(t, time.Since(start), b.timeouts.ResponseHead)
		require.LessOrEqual(t, time.Since(start), b.timeouts.ResponseHead+2*b.plane.sweeper.tick)
		b.requireRecord(hop.ResponseTimeout, 504)
	})
}

// The backend's time begins when it has the whole request.
func TestTimeOfTheBackendBeginsWithTheEndOfTheRequest(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { io.Copy(io.Discard, <-b.backend) })
		_, err := io.WriteString(b.client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
		require.NoError(t, err)
		for range 6 {
			time.Sleep(b.timeouts.ClientBody - time.Second)
			_, err := io.WriteString(b.client, "x")
			require.NoError(t, err)
		}
		start := time.Now()
		buf := make([]byte, 4096)
		_, err = b.client.Read(buf)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), b.timeouts.ResponseHead)
		b.requireRecord(hop.ResponseTimeout, 504)
	})
}

func TestResponseThatStopsIsCut(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { b.answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") })
		_, err := io.WriteString(b.client, plainGet)
		require.NoError(t, err)
		got := b.requireEnd(time.Now(), b.timeouts.BackendBody)
		require.True(t, strings.HasSuffix(got, "\r\n\r\nhalf"), got)
		b.requireRecord(hop.BackendBodyTimeout, 200)
	})
}

func TestClientThatTakesNothingIsLeft(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { b.answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789") })
		_, err := io.WriteString(b.client, plainGet)
		require.NoError(t, err)
		time.Sleep(b.timeouts.WriteStall + 2*b.plane.sweeper.tick)
		b.requireRecord(hop.ClientWriteTimeout, 200)
	})
}

func TestBackendThatTakesNothingIsA504(t *testing.T) {
	inBubble(t, func(b *bubble) {
		_, err := io.WriteString(b.client, plainGet)
		require.NoError(t, err)
		start := time.Now()
		_, err = b.client.Read(make([]byte, 4096))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), b.timeouts.WriteStall)
		b.requireRecord(hop.ResponseTimeout, 504)
	})
}

// Bytes in either direction keep a tunnel.
func TestSilentTunnelEnds(t *testing.T) {
	inBubble(t, func(b *bubble) {
		backend := make(chan net.Conn, 1)
		go func() { backend <- b.answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") }()
		_, err := io.WriteString(b.client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		require.NoError(t, err)
		buf := make([]byte, 4096)
		_, err = b.client.Read(buf)
		require.NoError(t, err)
		c := <-backend
		for range 3 {
			time.Sleep(b.timeouts.TunnelIdle - time.Minute)
			go io.WriteString(c, "x")
			_, err := b.client.Read(buf)
			require.NoError(t, err)
		}
		b.requireEnd(time.Now(), b.timeouts.TunnelIdle)
		b.requireRecord(hop.TunnelIdle, 101)
	})
}

func TestBodyIsAskedForInTheEnd(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.running.Go(func() { b.answers("") })
		_, err := io.WriteString(b.client, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		require.NoError(t, err)
		start := time.Now()
		buf := make([]byte, 100)
		n, err := b.client.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", string(buf[:n]))
		require.Equal(t, b.timeouts.ExpectContinue, time.Since(start), "to the tick")
	})
}

// A wait that has begun since a sweep looked is not the one that is overdue.
func TestOnlyTheWaitThatIsOverdueExpires(t *testing.T) {
	var w wait
	w.begin(aRequest, 3)
	require.False(t, w.expire(aRequest, 2, hop.ClientGone))
	require.Equal(t, hop.None, w.end())
	require.False(t, w.expire(aRequest, 3, hop.ClientGone), "it has ended")
	w.begin(aRequestBody, 3)
	require.False(t, w.expire(aRequest, 3, hop.ClientGone), "it is for something else")
	w.renew(aRequestBody, aRequestHead, 9)
	f, since := w.get()
	require.Equal(t, aRequestHead, f)
	require.EqualValues(t, 9, since)
	require.True(t, w.expire(aRequestHead, 9, hop.ClientTimeout))
	w.renew(aRequestHead, aRequestHead, 10)
	require.Equal(t, hop.ClientTimeout, w.end(), "for good")
}

func TestWaitIsOverdueATickAfterItsTime(t *testing.T) {
	l := &limits{tick: 250 * time.Millisecond}
	l.waits[aRequest] = limit{500 * time.Millisecond, hop.ClientGone}
	l.waits[aRequestBody] = limit{math.MaxInt64, hop.ClientTimeout} // as long as may be
	var w wait
	w.begin(aRequestBody, 1)
	require.False(t, l.overdue(&w, 1<<20))
	w.begin(aRequest, 7)
	for _, now := range []uint64{7, 8, 9} {
		require.False(t, l.overdue(&w, now))
	}
	require.True(t, l.overdue(&w, 10))
	require.Equal(t, hop.ClientGone, w.end())
}
