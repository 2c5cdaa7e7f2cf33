package app

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// A backend that came back has a tenth of its share at once, and all of it at
// the end of slow_start, to the tick; then the clock rests.
func TestABackendThatCameBackRisesWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{log: slog.New(slog.DiscardHandler), warming: make(chan struct{}, 1)}
		settings := pool.Settings{Thresholds: pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 1}, Policy: "weighted_round_robin", SlowStart: 36 * time.Second}
		p.pool = pool.New([]config.Backend{{URL: &url.URL{Scheme: "http", Host: "a"}}, {URL: &url.URL{Scheme: "http", Host: "b"}}}, settings, func(c pool.Change) {
			if c.To == pool.Up {
				p.changed(c)
			}
		})
		for _, b := range p.pool.Backends() {
			p.pool.ObserveProbe(b, nil)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.warm(ctx)
		}()
		time.Sleep(time.Hour)
		b := p.pool.Backends()[1]
		p.pool.ObserveProbe(b, errors.New("down"))
		p.pool.ObserveProbe(b, nil)
		synctest.Wait()
		back := time.Now()
		for _, c := range []struct {
			after time.Duration
			of    int // b's picks while a has 20
		}{{0, 2}, {2*time.Second - 1, 2}, {2*time.Second + 1, 3}, {18*time.Second + 9, 11}, {36*time.Second - 1, 19}, {36*time.Second + 18, 20}, {time.Hour, 20}} {
			time.Sleep(c.after - time.Since(back))
			synctest.Wait()
			picks := 0
			for range 20 + c.of {
				if picked, err := p.pool.GetNextHealthyBackend(pool.NoKey); err == nil && picked == b {
					picks++
				}
			}
			require.Equal(t, c.of, picks, "after %v", c.after)
		}
		cancel()
		<-ended
	})
}
