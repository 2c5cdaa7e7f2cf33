package http1

import (
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// What goes by a pipe arrives as it was sent, and whatever ends it has the cause
// that it has where bytes are copied.

const bulk = 8 << 20

// bulkText is the same at every call, and nowhere like itself.
var bulkText = sync.OnceValue(func() string {
	text := make([]byte, bulk)
	rand.NewChaCha8([32]byte{}).Read(text)
	return string(text)
})

// byPipeAndByCopy tells the story with pipes, which must be used, and without.
func byPipeAndByCopy(t *testing.T, story func(t *testing.T)) {
	for name, most := range map[string]int{"pipe": 64, "copy": 0} {
		t.Run(name, func(t *testing.T) {
			setPipes(t, most)
			story(t)
		})
	}
}

// setPipes bounds the pipes for a test, which must leave none open.
func setPipes(t *testing.T, most int) {
	usual := pipePool
	usual.dropIdle()
	open := openPipes(t)
	pipePool = newLender(most)
	t.Cleanup(func() { // after those of the rig
		require.Zero(t, pipePool.lent.Load(), "pipes left out")
		require.Equal(t, open, openPipes(t), "descriptors left open")
		pipePool = usual
	})
}

// requireUse requires pipes to have been used if there may be any.
func requireUse(t *testing.T) {
	t.Helper()
	require.Equal(t, cap(pipePool.idle) > 0, pipePool.made() > 0, "pipes are used")
}

// made is how many pipes there are, or one more while one is given back.
func (l *lender) made() int { return min(int(l.lent.Load()), cap(l.idle)) + len(l.idle) }

// openPipes counts this process's descriptors of pipes that are of our size: net
// has others.
func openPipes(t *testing.T) (n int) {
	const getPipeSize = 1032 // F_GETPIPE_SZ (Linux, linux/fcntl.h)
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		require.NoError(t, err)
		if size, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), getPipeSize, 0); size == pipeSize {
			n++
		}
	}
	return n
}

// endless is a backend that sends until it cannot.
func endless(t *testing.T, head string) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send(head)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(p, bulkText())
		}
	})
}

const (
	vastAnswer  = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
	askToSwitch = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	switched    = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
)

func TestLongAnswersPassWhole(t *testing.T) {
	for name, c := range map[string]struct{ request, head string }{
		"by length":   {plainGet, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n"},
		"until close": {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			byPipeAndByCopy(t, func(t *testing.T) {
				r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
					p.Head()
					p.Send(c.head + bulkText())
				})})
				p := r.dial()
				p.Send(c.request)
				_, body := p.Response("GET")
				require.True(t, body == bulkText(), "%d bytes", len(body))
				record := r.record()
				require.EqualValues(t, bulk, record.Sent)
				require.Equal(t, hop.None, record.Cause)
				requireUse(t)
			})
		})
	}
}

func TestLongRequestsPassWhole(t *testing.T) {
	for _, method := range []string{"POST", "PUT"} { // of a PUT the first part is kept
		t.Run(method, func(t *testing.T) {
			byPipeAndByCopy(t, func(t *testing.T) {
				got := make(chan string, 2)
				r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
					for {
						request, body := p.Request()
						if request == nil {
							return
						}
						got <- body
						p.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				})})
				p := r.dial()
				for range 2 { // the second over a connection that has been used
					p.Sendf("%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, bulk, bulkText())
					response, _ := p.Response(method)
					require.Equal(t, 200, response.StatusCode)
					body := <-got
					require.True(t, body == bulkText(), "%d bytes", len(body))
					require.EqualValues(t, bulk, r.record().Received)
				}
				requireUse(t)
			})
		})
	}
}

// Both directions at a time, and each has an end of its own.
func TestLongTunnelsPassWhole(t *testing.T) {
	byPipeAndByCopy(t, func(t *testing.T) {
		up := make(chan string, 1)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Send(switched)
			var sending sync.WaitGroup
			defer sending.Wait() // whatever has come by then
			sending.Go(func() {
				p.Send(bulkText())
				p.CloseWrite()
			})
			rest, _ := p.Rest()
			up <- rest
		})})
		p := r.dial()
		p.Send(askToSwitch)
		p.Head()
		go func() {
			p.Send(bulkText())
			p.CloseWrite()
		}()
		down, err := p.Rest()
		require.NoError(t, err)
		require.True(t, down == bulkText(), "%d bytes", len(down))
		got := <-up
		require.True(t, got == bulkText(), "%d bytes", len(got))
		record := r.record()
		require.Equal(t, [2]int64{bulk, bulk}, [2]int64{record.Received, record.Sent})
		require.Equal(t, hop.None, record.Cause)
		requireUse(t)
	})
}

// Small messages are worth no pipe.
func TestTalkativeTunnelUsesNoPipe(t *testing.T) {
	setPipes(t, 64)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		p.Send(switched)
		for {
			text := p.Take(1000)
			if text == "" {
				return
			}
			p.Send(text)
		}
	})})
	p := r.dial()
	p.Send(askToSwitch)
	p.Head()
	for range 3000 { // much in all
		p.Send(bulkText()[:1000])
		require.Equal(t, 1000, len(p.Take(1000)))
	}
	require.Zero(t, pipePool.made())
}

// Chunks are framed anew, also those of a client, and what is encrypted is not the kernel's business.
func TestWhatIsNotPassedAsItIsUsesNoPipe(t *testing.T) {
	https := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "8388608")
		_, _ = io.Copy(w, r.Body)
	}))
	defer https.Close()
	for name, c := range map[string]struct{ backend, framed string }{
		"chunks": {testkit.Script(t, func(p *testkit.Peer) {
			_, body := p.Request()
			p.Sendf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", bulk, body)
		}), "Transfer-Encoding: chunked\r\n\r\n800000\r\n" + bulkText() + "\r\n0\r\n\r\n"},
		"chunks for the client": {testkit.Script(t, func(p *testkit.Peer) {
			_, body := p.Request()
			p.Send("HTTP/1.0 200 OK\r\n\r\n" + body)
		}), "Transfer-Encoding: chunked\r\n\r\n800000\r\n" + bulkText() + "\r\n0\r\n\r\n"},
		"TLS": {https.URL, "Content-Length: 8388608\r\n\r\n" + bulkText()},
	} {
		t.Run(name, func(t *testing.T) {
			setPipes(t, 64)
			r := newRig(t, []string{c.backend})
			if u := r.plane.upstreamOf(r.pool.Backends()[0]); u.tls != nil {
				u.tls.RootCAs = x509.NewCertPool()
				u.tls.RootCAs.AddCert(https.Certificate())
			}
			p := r.dial()
			go p.Send("POST / HTTP/1.1\r\nHost: x\r\n" + c.framed)
			_, body := p.Response("POST")
			require.True(t, body == bulkText(), "%d bytes", len(body))
			require.Zero(t, pipePool.made())
		})
	}
}

// A body that its backend has not ended never looks whole to the client.
func TestLongAnswerThatIsCutShortIsSeenToBe(t *testing.T) {
	for name, c := range map[string]struct {
		request, head string
		leave         func(*testkit.Peer)
	}{
		"by length, FIN":   {plainGet, "HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n", func(p *testkit.Peer) { p.Close() }},
		"by length, RST":   {plainGet, "HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n", (*testkit.Peer).Reset},
		"until close, RST": {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n", (*testkit.Peer).Reset},
	} {
		t.Run(name, func(t *testing.T) {
			byPipeAndByCopy(t, func(t *testing.T) {
				passed := make(chan bool)
				r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
					p.Head()
					p.Send(c.head + bulkText())
					<-passed
					c.leave(p)
				})})
				p := r.dial()
				p.Send(c.request)
				p.Head()
				require.True(t, p.Take(bulk) == bulkText())
				requireUse(t)
				close(passed)
				_, err := p.Rest()
				if p.Close(); c.request != plainGet {
					require.ErrorIs(t, err, syscall.ECONNRESET, "not a clean end")
				}
				r.ended(hop.TruncatedByBackend, 200, true)
			})
		})
	}
}

// Whoever stops, or is stopped, in the middle of what goes by a pipe.
func TestLongTransfersEndForTheirCause(t *testing.T) {
	const limit = 500 * time.Millisecond
	stalling := func(t *testing.T) string {
		return testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			p.Send(vastAnswer + bulkText())
			p.AwaitEnd()
		})
	}
	vast := func(t *testing.T) string { return endless(t, vastAnswer) }
	tunnel := func(t *testing.T) string { return endless(t, switched) }
	reads := func(_ *rig, p *testkit.Peer) { p.AwaitEnd() }
	stalls := func(r *rig, _ *testkit.Peer) {}
	for name, c := range map[string]struct {
		backend func(*testing.T) string
		request string
		set     func(*config.Timeouts)
		then    func(*rig, *testkit.Peer)
		cause   hop.Cause
		status  int
		blamed  bool
	}{
		"client takes nothing":           {vast, plainGet, func(c *config.Timeouts) { c.WriteStall = limit }, stalls, hop.ClientWriteTimeout, 200, false},
		"client takes nothing, a tunnel": {tunnel, askToSwitch, func(c *config.Timeouts) { c.WriteStall = limit }, stalls, hop.ClientWriteTimeout, 101, false},
		"backend sends nothing":          {stalling, plainGet, func(c *config.Timeouts) { c.BackendBody = limit }, reads, hop.BackendBodyTimeout, 200, true},
		"all takes too long":             {vast, plainGet, func(c *config.Timeouts) { c.Total = 2 * limit }, reads, hop.TotalTimeout, 200, false},
		"client leaves":                  {vast, plainGet, nil, func(_ *rig, p *testkit.Peer) { p.Reset() }, hop.ClientGone, 200, false},
		"backend is removed":             {vast, plainGet, nil, func(r *rig, p *testkit.Peer) { r.plane.Cut(r.pool.Backends()[0]); p.AwaitEnd() }, hop.BackendRemoved, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			byPipeAndByCopy(t, func(t *testing.T) {
				r := newRig(t, []string{c.backend(t)}, func(all *config.Config) {
					if c.set != nil {
						c.set(&all.Timeouts)
					}
				})
				p := r.dial()
				p.Send(c.request)
				p.Head()
				require.True(t, p.Take(bulk) == bulkText())
				requireUse(t)
				go c.then(r, p)
				r.ended(c.cause, c.status, c.blamed)
				p.Close()
			})
		})
	}
}

// A backend that takes no more of a long body.
func TestLongRequestThatIsNotTakenIsA504(t *testing.T) {
	byPipeAndByCopy(t, func(t *testing.T) {
		ended := make(chan bool)
		r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
			p.Head()
			<-ended
		})}, func(c *config.Config) {
			c.Timeouts.WriteStall = 300 * time.Millisecond
			c.Timeouts.ResponseHead = time.Second
		})
		defer close(ended)
		p := r.dial()
		go func() {
			p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
			for err := error(nil); err == nil; {
				_, err = io.WriteString(p, bulkText())
			}
		}()
		require.Contains(t, p.Head(), " 504 ")
		r.ended(hop.ResponseTimeout, 504, true)
		p.Close()
	})
}

// A reader that takes nothing keeps its pipe; the others' bytes are copied.
func TestWithoutAPipeLeftBytesAreCopied(t *testing.T) {
	setPipes(t, 1)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		for {
			switch head := p.Head(); {
			case head == "":
				return
			case strings.HasPrefix(head, "GET /vast"): // so much that it waits for the client
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n" + strings.Repeat(bulkText(), 4))
			default:
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + bulkText())
			}
		}
	})})
	stalled := r.dial()
	stalled.Send("GET /vast HTTP/1.1\r\nHost: x\r\n\r\n")
	stalled.Head()
	var taken strings.Builder
	require.Eventually(t, func() (stuck bool) {
		now := r.plane.sweeper.now.Load()
		r.plane.sweeper.each(func(c *conn) {
			f, since := c.writing.get()
			stuck = stuck || f == theClientToTake && now > since+2
		})
		if stuck && pipePool.lent.Load() == 0 { // what came in so far was little at a time
			taken.WriteString(stalled.Take(1 << 20))
		}
		return stuck && pipePool.lent.Load() == 1 && len(pipePool.idle) == 0
	}, testkit.Patience, time.Millisecond)
	p := r.dial()
	p.Send(plainGet)
	_, body := p.Response("GET")
	require.True(t, body == bulkText(), "%d bytes", len(body))
	taken.WriteString(stalled.Take(4*bulk - taken.Len()))
	require.True(t, taken.String() == strings.Repeat(bulkText(), 4), "%d bytes", taken.Len())
	require.Eventually(t, func() bool { return pipePool.lent.Load() == 0 && len(pipePool.idle) == 1 }, testkit.Patience, time.Millisecond)
}

func TestPipesAreFewAndComeBackClean(t *testing.T) {
	l := newLender(2)
	a, b := l.lend(), l.lend()
	require.NotNil(t, b)
	require.Nil(t, l.lend(), "too many")
	for _, fd := range []int{a.r, a.w, b.r, b.w} {
		flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		require.EqualValues(t, syscall.FD_CLOEXEC, flags)
		flags, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		require.NotZero(t, flags&syscall.O_NONBLOCK)
	}
	_, err := syscall.Write(a.w, []byte("somebody's"))
	require.NoError(t, err)
	a.held = len("somebody's")
	l.release(a)
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(a.r), syscall.F_GETFD, 0)
	require.Equal(t, syscall.EBADF, errno, "it is closed")
	l.release(b)
	require.True(t, b == l.lend(), "clean, so used again")
	c := l.lend()
	require.Zero(t, c.held)
	_, err = syscall.Read(c.r, make([]byte, 1))
	require.Equal(t, syscall.EAGAIN, err, "nothing is in it")
	l.release(b)
	l.release(c)
	l.dropIdle()
	require.Zero(t, l.made())
}
