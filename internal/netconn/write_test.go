package netconn_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
)

// stalls writes to a peer that takes nothing and returns how long that lasts.
func stalls(t *testing.T, w *wrapped) time.Duration {
	t.Helper()
	start := time.Now()
	n, err := w.Write([]byte("nobody wants this"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, n)
	return time.Since(start)
}

func TestAPeerThatTakesNothingFailsTheWrite(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		require.Equal(t, stall+stall/4, stalls(t, w))
	})
}

// The deadline in force may be one of an earlier write.
func TestAWriteFailsBetweenTheStallAndAQuarterMoreWheneverItBegins(t *testing.T) {
	shortest, longest := 2*stall, time.Duration(0)
	for after := time.Duration(0); after <= 2*stall; after += stall / 24 {
		wrap(t, func(t *testing.T, w *wrapped) {
			w.exchange(t)
			time.Sleep(after)
			took := stalls(t, w)
			require.GreaterOrEqual(t, took, stall, "%v after another write", after)
			require.LessOrEqual(t, took, stall+stall/4, "%v after another write", after)
			shortest, longest = min(shortest, took), max(longest, took)
		})
	}
	require.Equal(t, stall, shortest)
	require.Equal(t, stall+stall/4, longest)
}

func TestAWriteThatWasGivenUpCanBeTriedAgain(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		stalls(t, w)
		w.exchange(t)
		stalls(t, w)
	})
}

func TestASlowPeerIsServedAsLongAsItTakesSomething(t *testing.T) {
	const size = 500
	for _, pause := range []time.Duration{time.Second, stall / 2, stall - 1} {
		t.Run(pause.String(), func(t *testing.T) {
			wrap(t, func(t *testing.T, w *wrapped) {
				start := time.Now()
				go w.takes(size, pause)
				n, err := w.Write(make([]byte, size))
				require.NoError(t, err)
				require.Equal(t, size, n)
				require.Equal(t, size*pause, time.Since(start))
			})
		})
	}
}

func TestWhatASlowPeerReceivesIsWhatWasWritten(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		const text = "each byte once, and in its place"
		go w.Write([]byte(text))
		var got []byte
		for b := make([]byte, 1); len(got) < len(text); got = append(got, b[0]) {
			time.Sleep(stall - 1)
			_, err := w.peer.Read(b)
			require.NoError(t, err)
		}
		require.Equal(t, text, string(got))
	})
}

// Only a deadline tells how much was taken, and not when; so a peer that stops
// in the middle has up to half a stall more.
func TestAPeerThatStopsInTheMiddleFailsTheWriteToo(t *testing.T) {
	for taken := 1; taken <= 16; taken += 5 {
		for _, pause := range []time.Duration{0, stall / 3, stall - 1} {
			t.Run(fmt.Sprintf("%d with %v between", taken, pause), func(t *testing.T) {
				wrap(t, func(t *testing.T, w *wrapped) {
					start := time.Now()
					go w.takes(taken, pause)
					n, err := w.Write(make([]byte, 17))
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
					require.Equal(t, taken, n)
					since := time.Since(start) - time.Duration(taken)*pause // the last byte
					require.GreaterOrEqual(t, since, stall)
					require.LessOrEqual(t, since, stall+stall/2)
				})
			})
		}
	}
}

func TestTheDeadlineIsNotMovedOnEveryWrite(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		for range 1000 {
			w.exchange(t)
		}
		require.Equal(t, []time.Duration{stall / 2}, w.inner.armed())

		time.Sleep(stall / 4)
		w.exchange(t)
		require.Empty(t, w.inner.armed(), "enough is left")
		time.Sleep(time.Nanosecond)
		w.exchange(t)
		require.Equal(t, []time.Duration{stall / 2}, w.inner.armed())

		for range 10_000 { // a busy connection, for a hundred stalls
			time.Sleep(stall / 100)
			w.exchange(t)
		}
		require.InDelta(t, 4*100, len(w.inner.armed()), 20)
	})
}

func TestErrorsThatAreNoStallArePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &failing{n: 3, err: errBroken}
		c := netconn.New(failing, stall, nil)
		n, err := c.Write([]byte("abcdef"))
		require.Same(t, errBroken, err)
		require.Equal(t, 3, n)
		require.Equal(t, 1, failing.writes)
	})
}

// failing is a connection on which writes take n bytes and fail.
type failing struct {
	net.Conn
	n      int
	err    error
	writes int
}

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return f.n, f.err
}

func (*failing) SetWriteDeadline(time.Time) error { return nil }

func TestClearingADeadlineThatWasNotSetLeavesTheBoundInForce(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.exchange(t)
		w.inner.armed()
		for range 100 {
			require.NoError(t, w.SetWriteDeadline(time.Time{}))
			w.exchange(t)
		}
		require.NoError(t, w.SetDeadline(time.Time{}))
		require.Empty(t, w.inner.armed())
		require.Equal(t, stall+stall/4, stalls(t, w))
	})
}

// The same as net/http does it, whose server clears the deadline after each
// response.
func TestAServerOfNetHTTPKeepsTheBound(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		type end struct {
			after time.Duration
			err   error
		}
		ended := make(chan end, 1)
		listener := &oneConn{conn: w.Conn, done: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/endless" {
				return
			}
			for start := time.Now(); ; {
				if _, err := rw.Write(make([]byte, 1<<10)); err != nil {
					ended <- end{time.Since(start), err}
					return
				}
			}
		})}
		var served sync.WaitGroup
		served.Go(func() { server.Serve(listener) })

		const request = "GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
		for range 5 {
			fmt.Fprintf(w.peer, request, "/")
			n, err := w.peer.Read(make([]byte, 1<<10))
			require.NoError(t, err)
			require.Positive(t, n)
			time.Sleep(stall / 10)
		}
		fmt.Fprintf(w.peer, request, "/endless") // of which nothing is read
		got := <-ended
		require.ErrorIs(t, got.err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, got.after, stall)
		require.LessOrEqual(t, got.after, stall+stall/4)

		w.peer.Close()
		server.Close()
		served.Wait()
	})
}

// oneConn is a listener to which one client comes.
type oneConn struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
	left bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.left {
		l.left = true
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func TestAnExplicitDeadlineWins(t *testing.T) {
	for _, set := range []struct {
		name string
		set  func(*wrapped, time.Time) error
	}{
		{"SetWriteDeadline", func(w *wrapped, at time.Time) error { return w.SetWriteDeadline(at) }},
		{"SetDeadline", func(w *wrapped, at time.Time) error { return w.SetDeadline(at) }},
	} {
		for _, d := range []time.Duration{-time.Second, 0, stall / 10, stall, 10 * stall} {
			t.Run(fmt.Sprint(set.name, " ", d), func(t *testing.T) {
				wrap(t, func(t *testing.T, w *wrapped) {
					w.exchange(t)
					w.inner.armed()
					require.NoError(t, set.set(w, time.Now().Add(d)))
					require.Equal(t, max(d, 0), stalls(t, w))
					require.Zero(t, stalls(t, w), "and stays in force")
					require.Equal(t, []time.Duration{d}, w.inner.armed())

					require.NoError(t, set.set(w, time.Time{}))
					require.Equal(t, stall+stall/4, stalls(t, w), "until it is cleared")
				})
			})
		}
	}
}

func TestProgressDoesNotExtendAnExplicitDeadline(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Second)))
		go w.takes(10, time.Second-1)
		start := time.Now()
		n, err := w.Write(make([]byte, 100))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 10, n)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestAnExplicitDeadlineConcernsAWriteUnderWay(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		time.AfterFunc(time.Second, func() { w.SetWriteDeadline(time.Now()) })
		require.Equal(t, time.Second, stalls(t, w))
	})
}

func TestClearingADeadlineBoundsAWriteUnderWay(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*stall)))
		time.AfterFunc(time.Second, func() { w.SetWriteDeadline(time.Time{}) })
		require.Equal(t, time.Second+stall+stall/4, stalls(t, w))
	})
}

func TestSetDeadlineConcernsReadsToo(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		start := time.Now()
		require.NoError(t, w.SetDeadline(start.Add(time.Second)))
		_, err := w.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
	})
}

// A stalled peer of a real connection, whose kernel takes some of it first.
func TestAStallOfARealConnectionFailsTheWrite(t *testing.T) {
	ours, _ := tcp(t)
	short := netconn.New(ours.Conn, 50*time.Millisecond, nil)
	n, err := short.Write(make([]byte, 64<<20))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Positive(t, n)
}

func TestSeveralGoroutinesMayUseAConnection(t *testing.T) {
	const writers, writes, size = 4, 500, 100
	ours, theirs := tcp(t)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range writes {
				ours.Write(make([]byte, size))
				ours.SetWriteDeadline(time.Time{})
			}
		})
	}
	all.Go(func() {
		for range writes {
			theirs.Write(make([]byte, size))
		}
		theirs.CloseWrite()
	})
	all.Go(func() {
		for buffer := make([]byte, 1<<10); ; {
			if _, err := ours.Read(buffer); err != nil {
				return
			}
			ours.Received()
		}
	})
	got := 0
	for buffer := make([]byte, 1<<10); got < writers*writes*size; {
		n, err := theirs.Read(buffer)
		require.NoError(t, err)
		got += n
	}
	all.Wait()
	require.EqualValues(t, writes*size, ours.Received())
}

// writes has one write made after ReadFirst, and returns how long it took.
func writes(t *testing.T, c *netconn.Conn, want error) time.Duration {
	t.Helper()
	c.ReadFirst(20 * time.Millisecond)
	start := time.Now()
	_, err := c.Write([]byte("x"))
	require.ErrorIs(t, err, want)
	return time.Since(start)
}

func TestAWriteToAPeerThatHasClosedGivesItsReaderTime(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.peer.Close()
		require.Equal(t, 20*time.Millisecond, writes(t, w.Conn, io.ErrClosedPipe))
	})
}

func TestNobodyIsGivenTimeBeforeReadFirst(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.peer.Close()
		start := time.Now()
		_, err := w.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Zero(t, time.Since(start))
	})
}

func TestAWriteThatSucceedsOrMeetsOurOwnCloseWaitsForNoReader(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		go w.takes(1, 0)
		require.Zero(t, writes(t, w.Conn, nil))
		require.Zero(t, writes(t, netconn.New(&failing{err: net.ErrClosed}, stall, nil), net.ErrClosed))
	})
}

func TestAWriteThatStallsWaitsForNoReaderBesides(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		require.Equal(t, stall+stall/4, writes(t, w.Conn, os.ErrDeadlineExceeded))
	})
}
