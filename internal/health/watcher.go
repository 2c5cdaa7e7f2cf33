package health

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// watcher probes one backend.
type watcher struct {
	backend   *pool.Backend
	pool      *pool.ServerPool
	newProber NewProber
	log       *slog.Logger
	nudged    chan struct{}
	changed   chan config.Health
	probed    chan struct{} // closed after the first probe, or when there will be none
	stop      func()
	ended     chan struct{}

	settings config.Health
	prober   Prober
	returned time.Time // when the backend last came back
	ejection ejection
}

func newWatcher(c *Checker, b *pool.Backend, s config.Health) *watcher {
	return &watcher{
		backend: b, pool: c.pool, newProber: c.newProber, log: c.log, settings: s,
		nudged: make(chan struct{}, 1), changed: make(chan config.Health, 1),
		probed: make(chan struct{}), ended: make(chan struct{}),
	}
}

// change gives the watcher other settings. It is for one goroutine at a time.
func (w *watcher) change(s config.Health) {
	select {
	case <-w.changed: // older ones, not yet looked at
	default:
	}
	w.changed <- s
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.ended)
	w.prober = w.newProber(w.backend, w.settings)
	defer func() { w.prober.Close() }() // whichever it is then
	timer := time.NewTimer(w.untilNext())
	defer timer.Stop()
	w.check(ctx)
	close(w.probed)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			w.readmit()
		case s := <-w.changed:
			w.adopt(s)
			if s.Ejection > 0 && time.Now().Before(w.ejection.over) {
				continue
			}
		case <-w.nudged:
			if w.settings.Ejection > 0 {
				timer.Reset(w.eject())
				continue
			}
			w.pool.Readmit(w.backend) // if it was ejected by settings that this one did not have yet
			if !w.mayHurry() {
				continue
			}
		}
		timer.Reset(w.untilNext()) // from the start of a probe, so that a slow one delays nothing
		w.check(ctx)
	}
}

func (w *watcher) adopt(s config.Health) {
	w.prober.Close()
	w.settings = s
	w.prober = w.newProber(w.backend, s)
}

// untilNext is the interval with its jitter.
func (w *watcher) untilNext() time.Duration {
	off := w.settings.Jitter * (2*rand.Float64() - 1)
	return w.settings.Interval + time.Duration(off*float64(w.settings.Interval))
}

func (w *watcher) mayHurry() bool {
	return w.returned.IsZero() || time.Since(w.returned) >= w.settings.Interval
}

// check makes one probe and reports it, unless ctx ended meanwhile.
func (w *watcher) check(ctx context.Context) {
	timeout := fmt.Errorf("no answer to the probe within %v", w.settings.Timeout)
	probeCtx, cancel := context.WithTimeoutCause(ctx, w.settings.Timeout, timeout)
	defer cancel()
	start := time.Now()
	err := w.prober.Probe(probeCtx)
	if ctx.Err() != nil {
		return
	}
	if err != nil && probeCtx.Err() != nil {
		err = timeout
	}
	w.log.Debug("probed", "backend", w.backend, "duration", time.Since(start), "result", result(err))
	known := w.backend.State() != pool.Unknown
	if w.pool.ObserveProbe(w.backend, err) && err == nil && known {
		w.returned = time.Now()
	}
}

func result(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
