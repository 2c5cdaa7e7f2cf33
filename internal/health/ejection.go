package health

import "time"

// ejection is how long a backend that requests have taken down stays out before
// a probe may bring it back. Each is twice as long as the one before, unless the
// backend was well for as long as that in between.
type ejection struct {
	last time.Duration
	over time.Time // the end of the last; zero when it has been seen to be over
}

// eject begins an ejection and returns how long it is.
func (w *watcher) eject() time.Duration {
	e, s := &w.ejection, w.settings
	if e.last == 0 || time.Since(w.returned) >= e.last {
		e.last = s.Ejection
	} else {
		e.last = min(2*e.last, s.EjectionMost)
	}
	e.over = time.Now().Add(e.last)
	w.log.Info("backend is ejected", "backend", w.backend, "for", e.last)
	return e.last
}

// readmit lets probes bring the backend back when its ejection is over. One that
// nobody has told of yet has not begun.
func (w *watcher) readmit() {
	if e := &w.ejection; !e.over.IsZero() && !time.Now().Before(e.over) {
		e.over = time.Time{}
		w.pool.Readmit(w.backend)
	}
}
