package netconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
)

func TestCloseClosesAtOnce(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		start := time.Now()
		require.NoError(t, w.Close())
		require.Zero(t, time.Since(start))
		require.Equal(t, []string{"Close"}, w.inner.noted())
		_, err := w.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		_, err = w.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
}

func TestAfterStopReadingReadsAreAtTheirEnd(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		go w.peer.Write([]byte("wanted, late"))
		n, err := w.Read(make([]byte, 6))
		require.NoError(t, err)
		require.Equal(t, 6, n)

		w.StopReading()
		for range 3 {
			n, err = w.Read(make([]byte, 6))
			require.Equal(t, io.EOF, err)
			require.Zero(t, n)
		}
		require.EqualValues(t, 6, w.Received())

		got := make([]byte, 8)
		go w.Write([]byte("response"))
		_, err = io.ReadFull(w.peer, got)
		require.NoError(t, err)
		require.Equal(t, "response", string(got), "the other direction is not concerned")
	})
}

func TestStopReadingAloneAsksNothingOfTheConnection(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.StopReading()
		require.Empty(t, w.inner.noted())
	})
}

// closes closes w in the background, and says when that has ended.
func closes(w *wrapped) <-chan time.Duration {
	ended := make(chan time.Duration, 1)
	start := time.Now()
	go func() {
		w.Close()
		ended <- time.Since(start)
	}()
	synctest.Wait()
	return ended
}

func TestALingeringCloseSendsFINThenReadsThenCloses(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.StopReading()
		ended := closes(w)
		require.Equal(t, []string{"CloseWrite", "SetReadDeadline"}, w.inner.noted())
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			_, err := w.peer.Write(make([]byte, 10_000))
			require.NoError(t, err, "is read")
		}
		require.Empty(t, w.inner.noted())
		w.peer.Close()
		require.Equal(t, 500*time.Millisecond, <-ended, "until the peer has done")
		require.Equal(t, []string{"Close"}, w.inner.noted())
	})
}

// Whoever resets has something to say that a FIN would deny.
func TestResetIsSentAlsoAfterStopReading(t *testing.T) {
	for name, end := range map[string][2]func(*netconn.Conn){
		"before": {(*netconn.Conn).Reset, (*netconn.Conn).StopReading},
		"after":  {(*netconn.Conn).StopReading, (*netconn.Conn).Reset},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := tcp(t)
			end[0](ours)
			end[1](ours)
			require.NoError(t, ours.Close())
			_, err := theirs.Read(make([]byte, 1))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
	}
}

func TestLingeringIsBoundedInTime(t *testing.T) {
	for name, pause := range map[string]time.Duration{"silent": time.Hour, "busy": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			wrap(t, func(t *testing.T, w *wrapped) {
				w.StopReading()
				ended := closes(w)
				stop := make(chan struct{})
				go func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(pause):
						}
						if _, err := w.peer.Write([]byte("more")); err != nil {
							return
						}
					}
				}()
				require.Equal(t, time.Second, <-ended)
				close(stop)
			})
		})
	}
}

func TestLingeringIsBoundedInBytes(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.StopReading()
		ended := closes(w)
		n, err := w.peer.Write(make([]byte, 64<<20))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Equal(t, 4<<20, n)
		require.Zero(t, <-ended)
	})
}

func TestAConnectionThatCannotSendFINDoesNotLinger(t *testing.T) {
	for name, as := range map[string]func(*inner) net.Conn{
		"unsupported": func(i *inner) net.Conn { return i },
		"fails":       func(i *inner) net.Conn { return half{i, errBroken} },
	} {
		t.Run(name, func(t *testing.T) {
			wrapInner(t, as, func(t *testing.T, w *wrapped) {
				w.StopReading()
				require.Zero(t, <-closes(w))
				calls := w.inner.noted()
				require.Equal(t, "Close", calls[len(calls)-1])
				require.NotContains(t, calls, "SetReadDeadline")
			})
		})
	}
}

func TestASecondCloseEndsTheLingering(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.StopReading()
		first := closes(w)
		time.Sleep(300 * time.Millisecond)
		require.Zero(t, <-closes(w))
		require.Equal(t, 300*time.Millisecond, <-first)
		require.Len(t, w.told(), 1)
	})
}

func TestOnCloseIsToldOnce(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.exchange(t)
		w.StopReading()
		require.NoError(t, w.CloseWrite())
		require.Empty(t, w.told())
		for range 3 {
			w.Close()
		}
		require.Equal(t, []*netconn.Conn{w.Conn}, w.told())
	})
}

func TestOnCloseIsToldWhenTheLingeringIsOver(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.StopReading()
		ended := closes(w)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		require.Empty(t, w.told())
		<-ended
		require.Len(t, w.told(), 1)
	})
}

func TestWithoutOnCloseNobodyIsTold(t *testing.T) {
	ours, _ := tcp(t)
	require.NoError(t, ours.Close())
	require.ErrorIs(t, ours.Close(), net.ErrClosed)
}

func TestCloseWriteLeavesTheOtherDirectionOpen(t *testing.T) {
	ours, theirs := tcp(t)
	require.NoError(t, ours.CloseWrite())
	_, err := theirs.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	_, err = theirs.Write([]byte("still here"))
	require.NoError(t, err)
	require.NoError(t, theirs.Close())
	got, err := io.ReadAll(ours)
	require.NoError(t, err)
	require.Equal(t, "still here", string(got))
}

func TestCloseWriteReportsWhatItMeets(t *testing.T) {
	for want, as := range map[error]func(*inner) net.Conn{
		nil:                   func(i *inner) net.Conn { return half{i, nil} },
		errBroken:             func(i *inner) net.Conn { return half{i, errBroken} },
		errors.ErrUnsupported: func(i *inner) net.Conn { return i },
	} {
		wrapInner(t, as, func(t *testing.T, w *wrapped) {
			require.Equal(t, want, w.CloseWrite())
		})
	}
}

// A client whose upload is refused goes on sending it while the answer comes.
// A plain Close with unread bytes would reset the connection, and the client
// would see that in place of the end of the answer.
func TestAPeerThatIsStillSendingReceivesTheWholeResponse(t *testing.T) {
	const head, upload, response = 1 << 10, 3 << 20, 4 << 20
	ours, theirs := tcp(t)
	sent := make(chan error, 1)
	go func() {
		_, err := theirs.Write(make([]byte, head+upload))
		sent <- err
	}()
	_, err := io.ReadFull(ours, make([]byte, head))
	require.NoError(t, err)
	want := bytes.Repeat([]byte("response"), response/8)
	served := make(chan error, 1)
	go func() {
		_, err := ours.Write(want)
		ours.StopReading()
		ours.Close()
		served <- err
	}()
	got, err := io.ReadAll(theirs)
	require.NoError(t, err, "no reset")
	require.True(t, bytes.Equal(want, got), "%d of %d bytes", len(got), len(want))
	require.NoError(t, <-sent, "the upload was taken to its end")
	require.NoError(t, theirs.Close())
	require.NoError(t, <-served)
	require.EqualValues(t, head, ours.Received(), "and given to nobody")
}

func TestResetEndsTheConnectionWithAReset(t *testing.T) {
	ours, theirs := tcp(t)
	_, err := ours.Write([]byte("part"))
	require.NoError(t, err)
	got := make([]byte, 4)
	_, err = io.ReadFull(theirs, got)
	require.NoError(t, err)
	ours.Reset()
	_, err = ours.Write([]byte("more"))
	require.NoError(t, err, "it concerns Close alone")
	require.NoError(t, ours.Close())
	_, err = io.ReadAll(theirs)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestResetOfWhatIsNotTCPIsAnOrdinaryClose(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		w.Reset()
		require.NoError(t, w.Close())
		_, err := w.peer.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	})
}

// counter returns a func for NotifyClose, and how often it was called.
func counter() (f *func(), calls *int) {
	calls = new(int)
	count := func() { *calls++ }
	return &count, calls
}

func TestTheEndOfAConnectionIsNotifiedOnceItIsClosed(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		calls := 0
		f := func() {
			calls++
			require.Equal(t, []string{"Close"}, w.inner.noted())
		}
		w.NotifyClose(&f)
		require.NoError(t, w.CloseWrite())
		w.inner.noted()
		require.Zero(t, calls)
		for range 3 {
			w.Close()
		}
		require.Equal(t, 1, calls)
		require.Len(t, w.told(), 1, "onClose is told besides")
	})
}

func TestTheLastToAskForNoticeIsNotified(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		first, firstCalls := counter()
		last, lastCalls := counter()
		w.NotifyClose(first)
		w.NotifyClose(last)
		w.ForgetClose(first) // too late to matter
		w.Close()
		require.Zero(t, *firstCalls)
		require.Equal(t, 1, *lastCalls)
	})
}

func TestNoticeThatIsForgottenIsNotGiven(t *testing.T) {
	for name, forget := range map[string]func(*wrapped, *func()){
		"ForgetClose":      func(w *wrapped, f *func()) { w.ForgetClose(f) },
		"NotifyClose(nil)": func(w *wrapped, _ *func()) { w.NotifyClose(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			wrap(t, func(t *testing.T, w *wrapped) {
				f, calls := counter()
				w.NotifyClose(f)
				forget(w, f)
				w.Close()
				require.Zero(t, *calls)
			})
		})
	}
}
