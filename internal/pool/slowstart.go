package pool

import "time"

// A backend's warmth is how much of its weight counts, in steps of 5 %.
const (
	cold = 2
	warm = 20
)

// beginWarming is for one that comes up. Those that the pool began with come up
// together: they share what there is at once. p.mu is held.
func (p *ServerPool) beginWarming(b *Backend, from State) {
	b.warmth, b.warming = warm, time.Time{}
	if p.settings.SlowStart > 0 && (from == Down || b.late) {
		b.warmth = cold
	}
}

// Advance tells the pool what time it is. A backend that has recovered, or was
// added to others, begins with 10 % of its weight; from the first call after
// that on it rises evenly, within SlowStart, to all of it. Advance returns how
// long it may be until the next call, 0 if none is needed before a backend
// comes up.
func (p *ServerPool) Advance(now time.Time) (next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	for _, b := range p.Backends() {
		if b.warmth == warm || b.State() != Up {
			continue
		}
		if b.warming.IsZero() {
			b.warming = now
		}
		warmth := warmthAfter(now.Sub(b.warming), p.settings.SlowStart)
		changed = changed || warmth != b.warmth
		b.warmth = warmth
		if warmth < warm {
			next = p.settings.SlowStart/(warm-cold) + 1 // not a nanosecond before the step
		}
	}
	if changed {
		p.publish(p.Backends())
	}
	return next
}

func warmthAfter(passed, slowStart time.Duration) int {
	if passed >= slowStart {
		return warm
	}
	return max(cold, cold+int(float64(warm-cold)*float64(passed)/float64(slowStart)))
}
