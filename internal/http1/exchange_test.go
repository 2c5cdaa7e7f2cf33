package http1

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// What a backend appends to a response in the same packet is nobody's answer.
func TestNoClientGetsAnAnswerThatWasNotAskedFor(t *testing.T) {
	const clients, each = 32, 160 // 5,120 requests
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
	r := newRig(t, []string{repeating(t, answer+strings.Replace(answer, "mine", "evil", 1))})
	var all sync.WaitGroup
	for range clients {
		p := r.dial()
		all.Go(func() {
			for range each {
				p.Send(plainGet)
				if head := p.Head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || p.Take(4) != "mine" {
					t.Errorf("not its own answer: %q", head)
					return
				}
			}
		})
	}
	all.Wait()
	for range clients * each {
		r.ended(hop.None, 200, false)
	}
}

// However many connections are stale, an idempotent request survives, with its
// body, and the record shows each.
func TestRequestSurvivesSeveralStaleConnections(t *testing.T) {
	const stale = 3
	body := strings.Repeat("0123456789", 3000) // more than comes with the head
	var arrived sync.WaitGroup
	arrived.Add(stale)
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		first := connections.Add(1) <= stale
		_, got := p.Request()
		if first { // all are open at once
			arrived.Done()
			arrived.Wait()
		} else if got != body {
			t.Errorf("%d bytes of %d arrived", len(got), len(body))
		}
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		p.Head() // and no answer
	})})
	for range stale {
		r.dial().Send(plainGet)
	}
	for range stale {
		r.ended(hop.None, 200, false)
	}
	for _, framed := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body), fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)} {
		p := r.dial()
		p.Send("PUT / HTTP/1.1\r\nHost: x\r\n" + framed)
		response, _ := p.Response("PUT")
		require.Equal(t, 200, response.StatusCode)
		record := r.record()
		require.EqualValues(t, len(body), record.Received)
		for i, a := range record.Attempts {
			require.Equal(t, i < len(record.Attempts)-1, a.Cause == hop.ResetBeforeResponse)
		}
		require.GreaterOrEqual(t, len(record.Attempts), 2)
	}
	require.Empty(t, r.changes, "nobody is blamed")
}

// An upload that pauses while its old connection turns out to be stale goes on
// over a fresh one.
func TestPausedUploadSurvivesAStaleConnection(t *testing.T) {
	stale := make(chan bool)
	var connections atomic.Int64
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		_, _ = p.Request()
		first := connections.Add(1) == 1
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if first {
			p.Head()
			p.Close()
			stale <- true
		}
	})})
	p := r.dial()
	p.Send(plainGet)
	p.Response("GET")
	p.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
	<-stale
	time.Sleep(50 * time.Millisecond) // the pause is the subject
	p.Send("rest")
	response, _ := p.Response("PUT")
	require.Equal(t, 200, response.StatusCode)
	require.EqualValues(t, 2, connections.Load())
}

// What may not be sent again is answered with a 502, and delivered once.
func TestPostIsNeverDeliveredTwice(t *testing.T) {
	got := make(chan string, 2)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Request()
		p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, body := p.Request()
		got <- body
	})})
	p := r.dial()
	p.Send(plainGet)
	p.Response("GET")
	r.ended(hop.None, 200, false)
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nonce")
	response, _ := p.Response("POST")
	require.Equal(t, 502, response.StatusCode)
	r.ended(hop.ResetBeforeResponse, 502, false)
	require.Equal(t, "once", <-got)
	require.Empty(t, got)
}

// Both sides may stream at a time: the answer begins before the request ends.
func TestAnswerMayBeginBeforeTheRequestEnds(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			p.Sendf("1\r\n%s\r\n", p.Take(1))
		}
		p.Send("0\r\n\r\n")
	})})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
	require.Contains(t, p.Head(), "\r\nConnection: close\r\n", "the rest of it may never come")
	for _, text := range []string{"a", "b", "c"} {
		p.Send(text)
		require.Equal(t, "1\r\n"+text+"\r\n", p.Take(6))
	}
	require.Equal(t, "0\r\n\r\n", p.Take(5))
	r.ended(hop.None, 200, false)
}

// A client that leaves while the backend thinks is noticed within 500 ms.
func TestClientThatLeavesIsNoticedWhileTheBackendThinks(t *testing.T) {
	for how, leave := range map[string]func(*testkit.Peer){"FIN": func(p *testkit.Peer) { p.Close() }, "RST": (*testkit.Peer).Reset} {
		arrived, ended := make(chan bool, 1), make(chan time.Time, 1)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			arrived <- true
			p.AwaitEnd()
			ended <- time.Now()
		})})
		p := r.dial()
		p.Send(plainGet + "bytes that nobody has read")
		<-arrived
		start := time.Now()
		leave(p)
		require.Less(t, (<-ended).Sub(start), 600*time.Millisecond, how)
		r.ended(hop.ClientGone, 499, false)
	}
}

// So is one that leaves while the backend takes no more of its body. It is a
// reset that tells: a FIN waits behind what nobody takes.
func TestClientThatLeavesIsNoticedWhileTheBackendTakesNothing(t *testing.T) {
	ended := make(chan bool)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		<-ended
	})})
	defer close(ended)
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	for err := error(nil); err == nil; _, err = p.Write(make([]byte, 1<<20)) { // until nothing of it is taken
		p.SetWriteDeadline(time.Now().Add(time.Second))
	}
	start := time.Now()
	p.Reset()
	r.ended(hop.ClientGone, 499, false)
	require.Less(t, time.Since(start), 5*time.Second, "write_stall is a minute")
}

// A FIN behind the rest of a body is no reason not to deliver that.
func TestBodyInFrontOfAFINIsDeliveredHoweverSlowly(t *testing.T) {
	const size = 4_350_000 // a little more than Linux takes for a backend by default
	got, release := make(chan int64, 1), make(chan bool)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		<-release
		n, _ := io.Copy(io.Discard, io.LimitReader(p.R, size))
		got <- n
	})})
	p := r.dial()
	go func() {
		p.Sendf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
		p.CloseWrite()
	}()
	ticks := &r.plane.sweeper.now
	begin := ticks.Load()
	require.Eventually(t, func() bool { return ticks.Load() > begin+4 }, testkit.Patience, time.Millisecond)
	close(release)
	require.EqualValues(t, size, <-got)
}

// One exchange must not take the others with it.
func TestPanicEndsOneConnectionOnly(t *testing.T) {
	r := newRig(t, []string{repeating(t, smallAnswer)})
	observe := r.plane.observe
	var once sync.Once
	r.plane.observe = func(record *records.Record) {
		once.Do(func() { panic("oops") })
		observe(record)
	}
	p := r.dial()
	p.Send(plainGet)
	p.Response("GET")
	_, err := p.Rest()
	require.NoError(t, err)
	require.Equal(t, hop.Internal, r.record().Cause)
	require.Contains(t, r.log.String(), "oops")
	p = r.dial()
	p.Send(plainGet)
	response, _ := p.Response("GET")
	require.Equal(t, 200, response.StatusCode)
}

// Unused connections end in time, and when their backend goes down.
func TestUnusedConnectionsToABackendEnd(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*config.Config)
		drop func(*rig)
	}{
		"in time": {func(c *config.Config) { c.Timeouts.BackendIdle = 20 * time.Millisecond }, func(*rig) {}},
		"dropped": {func(*config.Config) {}, func(r *rig) { r.plane.DropIdle(r.pool.Backends()[0]) }},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan bool, 1)
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				p.AwaitEnd()
				ended <- true
			})}, c.set)
			r.dial().Send(plainGet)
			r.record()
			require.Eventually(t, func() bool {
				c.drop(r)
				return len(ended) == 1
			}, testkit.Patience, time.Millisecond)
		})
	}
}

// Whatever the sizes, what passes is what was sent: both framings, both ways.
func TestBodiesPassWholeInBothDirections(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		for {
			request, body := p.Request()
			if request == nil {
				return
			}
			if request.ContentLength >= 0 {
				p.Sendf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			} else {
				p.Sendf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
		}
	})})
	p := r.dial()
	for _, size := range []int{1, 4000, 4096, 5000, 32 << 10, 32<<10 + 1, 300 << 10, 3 << 20} {
		var text strings.Builder
		for i := 0; text.Len() < size; i++ {
			fmt.Fprint(&text, i, ",")
		}
		body := text.String()[:size]
		for _, framed := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, body), fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, body)} {
			go p.Send("POST / HTTP/1.1\r\nHost: x\r\n" + framed)
			response, got := p.Response("POST")
			require.Equal(t, 200, response.StatusCode)
			require.True(t, got == body, "%d bytes", size)
			record := r.record()
			require.Equal(t, [2]int64{int64(size), int64(size)}, [2]int64{record.Received, record.Sent})
		}
	}
}

// A listener that is out of descriptors is tried again; one that is closed ends
// Serve.
func TestServeOutlivesTemporaryFailures(t *testing.T) {
	c := testConfig(t, []string{"127.0.0.1:1"})
	log := new(logBuffer)
	plane := New(testPool(c, nil), c, dialBackend, nil, slog.New(slog.NewTextHandler(log, nil)))
	defer plane.Close()
	l := &failing{errors: []error{temporary{}, temporary{}, io.ErrUnexpectedEOF}}
	require.ErrorIs(t, plane.Serve(l), io.ErrUnexpectedEOF)
	require.Equal(t, 2, strings.Count(log.String(), "accept failed"))
}

type temporary struct{}

func (temporary) Error() string   { return "out of descriptors" }
func (temporary) Temporary() bool { return true }

type failing struct {
	net.Listener
	errors []error
}

func (l *failing) Accept() (net.Conn, error) {
	err := l.errors[0]
	l.errors = l.errors[1:]
	return nil, err
}

func (l *failing) Close() error { return nil }

// What is left of a request that no backend gets is not the next one.
func TestBodyThatNoBackendGetsIsNoRequest(t *testing.T) {
	for name, body := range map[string]string{
		"length": "Content-Length: 1000\r\n\r\n" + plainGet,
		"chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(plainGet), plainGet),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{repeating(t, smallAnswer)})
			r.pool.ObserveProbe(r.pool.Backends()[0], errors.New("down"))
			p := r.dial()
			p.Send("POST / HTTP/1.1\r\nHost: x\r\n" + body)
			head := p.Head()
			require.Contains(t, head, "HTTP/1.1 503 ")
			require.Contains(t, head, "\r\nConnection: close\r\n")
			rest, err := p.Rest()
			require.NoError(t, err)
			require.Equal(t, "503 Service Unavailable: no_backend_alive\n", rest)
			require.Equal(t, hop.NoBackendAlive, r.record().Cause)
			r.stop()
			require.Empty(t, r.records, "there was one request")
		})
	}
}
