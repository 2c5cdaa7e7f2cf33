package stack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
)

// maxInFlight bounds a Load: a proxy that answers nothing reaches it, and so does
// a machine that is too busy for the rate. What is due beyond it waits.
const maxInFlight = 256

// Load asks the proxy at a constant rate until Stop: each request is sent when
// it is due, however long earlier ones take.
type Load struct {
	stack  *Stack
	query  string
	period time.Duration
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu    sync.Mutex
	shots []*Shot
}

// Shot is one request of a Load, and what became of it.
type Shot struct {
	Path        string    // unique, so that its access line can be found
	Sent, Ended time.Time // Ended is zero while it waits for its answer
	Status      int       // 0 if there was no answer
	From        string    // who answered, or "" for the proxy itself
	Err         error     // why there was no whole answer
}

// Good reports whether a backend gave its whole answer.
func (s Shot) Good() bool { return s.Err == nil && s.Status == http.StatusOK }

// Load starts asking, so many times a second. The query goes with every
// request.
func (s *Stack) Load(perSecond int, query string) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{stack: s, query: query, period: time.Second / time.Duration(perSecond), cancel: cancel}
	l.all.Go(func() { l.run(ctx) })
	s.T.Cleanup(func() { l.Stop() })
	return l
}

func (l *Load) run(ctx context.Context) {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	inFlight := make(chan struct{}, maxInFlight)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if !l.admits(ctx, inFlight) {
			return
		}
		l.all.Go(func() {
			defer func() { <-inFlight }()
			l.shoot()
		})
		timer.Reset(time.Until(start.Add(time.Duration(n) * l.period)))
	}
}

// admits waits until one more may be in flight.
func (l *Load) admits(ctx context.Context, inFlight chan<- struct{}) bool {
	select {
	case inFlight <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-time.After(Patience):
		l.stack.T.Errorf("%d requests are waiting for an answer", maxInFlight)
	}
	return false
}

// shots of all loads are numbered together.
var shots atomic.Int64

func (l *Load) shoot() {
	shot := l.begin()
	answer, err := l.stack.Try(http.MethodGet, shot.Path+"?"+l.query, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	shot.Ended, shot.Err = time.Now(), err
	if answer.Response != nil {
		shot.Status, shot.From = answer.StatusCode, answer.From()
	}
}

// begin notes a request that is to be sent now. They are in that order.
func (l *Load) begin() *Shot {
	l.mu.Lock()
	defer l.mu.Unlock()
	shot := &Shot{Path: fmt.Sprintf("/load/%d", shots.Add(1)), Sent: time.Now()}
	l.shots = append(l.shots, shot)
	return shot
}

// Await waits until n requests that were sent since then have ended, and are
// as wanted.
func (l *Load) Await(n int, since time.Time, wanted func(Shot) bool) {
	l.stack.T.Helper()
	l.await(fmt.Sprintf("%d requests as wanted", n), func() bool {
		found := 0
		for _, shot := range slices.Backward(l.shots) { // in which there may be very many
			if shot.Sent.Before(since) {
				break
			}
			if !shot.Ended.IsZero() && wanted(*shot) {
				found++
			}
		}
		return found >= n
	})
}

// Settle waits until all requests that were sent before then have ended.
func (l *Load) Settle(before time.Time) {
	l.stack.T.Helper()
	l.await("the end of all requests", func() bool {
		return !slices.ContainsFunc(l.shots, func(shot *Shot) bool {
			return shot.Sent.Before(before) && shot.Ended.IsZero()
		})
	})
}

func (l *Load) await(what string, condition func() bool) {
	l.stack.T.Helper()
	require.Eventually(l.stack.T, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return condition()
	}, Patience, 5*time.Millisecond, what)
}

// Stop ends the load, waits for the answers that are due, and returns all
// requests in the order in which they were sent.
func (l *Load) Stop() []Shot {
	l.cancel()
	l.all.Wait()
	ended := make([]Shot, len(l.shots))
	for i, shot := range l.shots {
		ended[i] = *shot
	}
	return ended
}
