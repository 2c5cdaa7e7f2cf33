package accesslog_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/accesslog"
	"go-proxy/internal/config"
)

// in runs the test for both forms, in virtual time.
func in(t *testing.T, f func(t *testing.T, format string)) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, format) })
		})
	}
}

// after lets time pass, and everything happen that then does.
func after(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

func TestLinesAreWrittenAtTheTick(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		r.observe(3)
		after(interval - 1)
		require.Zero(t, r.writes.Load(), "too early")
		after(1)
		require.EqualValues(t, 1, r.writes.Load(), "three lines, one write")
		require.Len(t, r.accounts(t, format, 3, 0).lines, 3)
		require.Zero(t, stop())
	})
}

func TestEveryTickWritesWhatCameSince(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		for i := range 5 {
			r.Observe(numbered(i))
			after(interval)
			require.EqualValues(t, i+1, r.writes.Load())
			r.accounts(t, format, i+1, 0)
		}
		require.Zero(t, stop())
	})
}

func TestNothingIsWrittenWhenNothingHappens(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		after(10 * interval)
		require.Zero(t, stop())
		require.Zero(t, r.writes.Load())
	})
}

func TestLinesAreWrittenBySizeBeforeTheTick(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		few := bound / 4 / size(format)
		r.observe(few)
		synctest.Wait()
		require.Zero(t, r.writes.Load(), "a quarter of the bound may wait")
		r.Observe(numbered(few))
		synctest.Wait()
		require.EqualValues(t, 1, r.writes.Load(), "no more")
		require.Len(t, r.accounts(t, format, few+1, 0).lines, few+1)
		require.Zero(t, stop())
	})
}

func TestLinesComeInTheOrderOfTheirRecords(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		for i := range 1000 {
			r.Observe(numbered(i))
			synctest.Wait()
		}
		require.Zero(t, stop())
		lines := strings.Split(strings.TrimSpace(r.written.String()), "\n")
		require.Len(t, lines, 1000)
		for i, line := range lines {
			require.Contains(t, line, fmt.Sprintf("/%06d", i))
		}
	})
}

func TestEndOfRunWritesWhatIsLeft(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		stop := r.start(t)
		r.observe(3)
		start := time.Now()
		require.Zero(t, stop())
		require.Equal(t, start, time.Now(), "without waiting for the tick")
		require.Len(t, r.accounts(t, format, 3, 0).lines, 3)
	})
}

func TestRunReturnsWhatTheLastWriteLost(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeNone)
		stop := r.start(t)
		r.observe(3)
		require.Equal(t, 3, stop())
		require.Empty(t, r.written.String())
		require.Equal(t, 1, r.outages())
	})
}

func TestRunReturnsWhatCameTooLate(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		var r *rig
		r = newRig(format, func(_ int, p []byte) (int, error) {
			r.observe(2) // while the last write is on its way
			return len(p), nil
		})
		stop := r.start(t)
		r.observe(3)
		require.Equal(t, 2, stop())
		require.Len(t, r.accounts(t, format, 5, 2).lines, 3)
	})
}

func TestLinesBeyondTheBoundAreDroppedAndReportedBehindTheOthers(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, takeAll)
		fit := bound / size(format)
		r.observe(fit + 12) // nobody writes yet
		require.Zero(t, r.runOut())
		found := r.accounts(t, format, fit+12, 0)
		require.Len(t, found.lines, fit)
		require.Equal(t, 12, found.dropped)
		lines := strings.Split(strings.TrimSpace(r.written.String()), "\n")
		require.Contains(t, lines[len(lines)-1], "dropped", "where the lines are missing")
	})
}

func TestLineThatFitsExactlyIsTaken(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		for _, excess := range []int{0, 1} {
			r, record := newRig(format, takeAll), numbered(1)
			padding := bound - size(format) + excess
			record.Path = append(record.Path, strings.Repeat("x", padding)...)
			r.Observe(record)
			require.Zero(t, r.runOut())
			require.Equal(t, excess, r.accounts(t, format, 1, 0).dropped)
		}
	})
}

func TestReportOfDropsIsALineOfItsOwn(t *testing.T) {
	for format, want := range map[string]string{
		"text": `^time=2000-01-0\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) dropped=3\n$`,
		"json": `^\{"time":"2000-01-0\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)","dropped":3\}\n$`,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(format, failFirst(1))
			stop := r.start(t)
			r.observe(3)
			after(interval)
			require.Empty(t, r.written.String())
			after(interval)
			require.Regexp(t, want, r.written.String(), "at the next tick, though nothing else is to be written")
			require.Zero(t, stop())
		})
	}
}

// failFirst is an output that fails for the first n writes.
func failFirst(n int) script {
	return func(write int, p []byte) (int, error) {
		if write < n {
			return 0, errFull
		}
		return len(p), nil
	}
}

func TestOutputThatRecoversIsToldWhatItMissed(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		r := newRig(format, failFirst(3))
		stop := r.start(t)
		for i := range 5 {
			r.Observe(numbered(i))
			after(interval)
		}
		require.Zero(t, stop())
		found := r.accounts(t, format, 5, 0)
		require.Equal(t, 3, found.dropped)
		require.Equal(t, 1, found.reports)
		require.Equal(t, map[string]int{"/000003": 1, "/000004": 1}, found.lines)
	})
}

func TestErrorIsLoggedOncePerOutage(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		fails := []bool{false, true, true, true, false, true, true, false}
		r := newRig(format, func(write int, p []byte) (int, error) {
			if fails[write] {
				return 0, errFull
			}
			return len(p), nil
		})
		stop := r.start(t)
		for i, want := range []int{0, 1, 1, 1, 1, 2, 2, 2} {
			r.Observe(numbered(i))
			after(interval)
			require.Equal(t, want, r.outages(), "write %d", i)
		}
		require.Contains(t, r.errors.String(), `error="no space left on device"`)
		require.Zero(t, stop())
	})
}

// An output that fails takes any part of what it is given: every cut is tried.
func TestTornLineIsEndedBeforeTheNext(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		const lines, drops = 3, 12
		whole := tornAt(t, format, lines, drops, 0, 1<<20)
		for cut := range len(whole) + 1 {
			tornAt(t, format, lines, drops, cut, 1<<20)
		}
	})
}

// The end of the torn line may itself be torn.
func TestLineTornTwiceIsEndedBeforeTheNext(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		for cut := range size(format) + 1 {
			for again := range len(" torn\n") + 3 {
				tornAt(t, format, 1, 1, cut, again)
			}
		}
	})
}

// tornAt has the log write lines and a report of drops to an output that fails
// after some bytes, then again after some, and then works. It returns the
// first write.
func tornAt(t *testing.T, format string, lines, drops, cut, again int) (first string) {
	t.Helper()
	r := newRig(format, func(write int, p []byte) (int, error) {
		switch {
		case write == 0:
			first = string(p)
			return min(cut, len(p)), errFull
		case write == 1 && again < len(p):
			return again, errFull
		}
		return len(p), nil
	})
	fill(r, format, lines, drops)
	stop := r.start(t)
	after(interval)
	for i := range 3 {
		r.Observe(numbered(1000 + i))
		after(interval)
	}
	require.Zero(t, stop())
	found := r.accounts(t, format, lines+drops+3, 0)
	require.LessOrEqual(t, len(found.torn), 2, r.written.String())
	for _, torn := range found.torn {
		require.True(t, strings.HasSuffix(torn, " torn"), "%q is neither whole nor marked", torn)
	}
	return first
}

// fill makes lines wait and has drops dropped, by records that fit nowhere.
func fill(r *rig, format string, lines, drops int) {
	r.observe(lines)
	huge := numbered(0)
	huge.Path = append(huge.Path, strings.Repeat("x", bound)...)
	for range drops {
		r.Observe(huge)
	}
}

func TestWriteIsNeverLargerThanTheBoundAndTheReport(t *testing.T) {
	in(t, func(t *testing.T, format string) {
		var largest atomic.Int64
		r := newRig(format, func(_ int, p []byte) (int, error) {
			largest.Store(max(largest.Load(), int64(len(p))))
			time.Sleep(interval) // and so most lines find no room
			return len(p), nil
		})
		stop := r.start(t)
		for i := range 10 {
			r.observeFrom(i*1000, 1000)
			after(interval)
		}
		require.Zero(t, stop())
		require.Positive(t, r.accounts(t, format, 10_000, 0).dropped)
		require.Less(t, largest.Load(), int64(bound+100))
	})
}

// Whatever the output does and however many observe at once: every record is
// a line, a reported drop, or in what Run returns.
func TestLinesAndDropsAreTheRecords(t *testing.T) {
	outputs := map[string]script{
		"fast": takeAll,
		"slow": func(_ int, p []byte) (int, error) {
			time.Sleep(3 * interval)
			return len(p), nil
		},
		"blocked for an hour": func(write int, p []byte) (int, error) {
			if write == 1 {
				time.Sleep(time.Hour)
			}
			return len(p), nil
		},
		"failing always": takeNone,
		"failing once":   failFirst(1),
		"failing every time but one": func(write int, p []byte) (int, error) {
			if write == 3 {
				return len(p), nil
			}
			return 0, errFull
		},
		"tearing every second": func(write int, p []byte) (int, error) {
			if write%2 == 0 {
				return len(p) * 2 / 3, errFull
			}
			return len(p), nil
		},
		"tearing always": func(write int, p []byte) (int, error) { return len(p) / 2, errFull },
		"failing after it took all": func(write int, p []byte) (int, error) {
			if write%2 == 0 {
				return len(p), errFull
			}
			return len(p), nil
		},
	}
	for name, output := range outputs {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, format string) {
				r := newRig(format, output)
				stop := r.start(t)
				const observers, rounds, burst = 8, 20, 10
				var all sync.WaitGroup
				for o := range observers {
					all.Go(func() {
						for round := range rounds {
							r.observeFrom((o*rounds+round)*burst, burst)
							time.Sleep(interval / 3)
						}
					})
				}
				all.Wait()
				r.accounts(t, format, observers*rounds*burst, stop())
			})
		})
	}
}

// observeFrom gives the log n records, numbered from first.
func (r *rig) observeFrom(first, n int) {
	for i := range n {
		r.Observe(numbered(first + i))
	}
}

// This one is not in virtual time: it would stand still for an Observe that
// waits for a mutex.
func TestObserveNeverWaitsForTheOutput(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			blocked, release := make(chan struct{}), make(chan struct{})
			r := newRig(format, func(write int, p []byte) (int, error) {
				if write == 0 {
					close(blocked)
					<-release
				}
				return len(p), nil
			})
			stop := r.start(t)
			r.observe(bound / size(format))
			<-blocked
			observed := make(chan struct{})
			go func() {
				defer close(observed)
				r.observeFrom(1000, 1000)
			}()
			select {
			case <-observed:
			case <-time.After(10 * time.Second):
				t.Error("Observe waits for the output")
			}
			close(release)
			<-observed
			require.Zero(t, stop())
			require.Positive(t, r.accounts(t, format, bound/size(format)+1000, 0).dropped)
		})
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool forgets things at random under the race detector")
	}
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			l := accesslog.New(io.Discard, config.Log{Format: format, AccessBuffer: 64 << 10, AccessFlush: time.Hour},
				slog.New(slog.DiscardHandler))
			r := &rig{Log: l}
			r.start(t)
			record := failure()
			record.Attempts[1].Backend = "https://a-name-that-does-not-fit-into-32-bytes.example:8443/prefix"
			observe := func() { r.Observe(record) }
			for range 10_000 {
				observe() // until both buffers have grown
			}
			require.Zero(t, testing.AllocsPerRun(10_000, observe))
		})
	}
}
