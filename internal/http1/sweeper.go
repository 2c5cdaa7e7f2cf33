package http1

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

// sweeper ends waits that have taken too long. It looks at every connection at
// every tick, which is far cheaper than a deadline for every wait (8 to 12 % of
// a small exchange). A wait ends at its limit, or up to two ticks
// later; later still where the machine is too busy to sweep.
type sweeper struct {
	tick   time.Duration
	now    atomic.Uint64          // ticks so far
	date   atomic.Pointer[[]byte] // for answers of backends without a clock
	limits atomic.Pointer[limits]

	mu    sync.Mutex
	conns map[*conn]struct{}
}

type limits struct {
	waits [numWaits]limit
	tick  time.Duration
	half  bool // a client that has sent a FIN may wait for its answer
}

type limit struct {
	time  time.Duration // 0: none
	cause hop.Cause
}

// Bounds of a tick. A client that leaves is noticed within two.
const (
	longestTick  = 250 * time.Millisecond
	shortestTick = 5 * time.Millisecond
)

// newSweeper ticks as fast as the shortest of the waits needs.
func newSweeper(t config.Timeouts) *sweeper {
	s := &sweeper{tick: longestTick, conns: make(map[*conn]struct{})}
	for _, w := range waitsOf(t) {
		s.follow(w.time)
	}
	s.follow(t.Attempt)
	s.follow(t.Total)
	s.tick = max(s.tick, shortestTick)
	s.setDate()
	return s
}

// follow makes the tick short enough for a limit, if it is one.
func (s *sweeper) follow(limit time.Duration) {
	if limit > 0 {
		s.tick = min(s.tick, limit/4)
	}
}

func waitsOf(t config.Timeouts) [numWaits]limit {
	return [numWaits]limit{
		theFirstRequest:  {t.ClientHead, hop.ClientGone}, // it has asked for nothing
		aRequest:         {t.ClientIdle, hop.ClientGone},
		aRequestHead:     {t.ClientHead, hop.ClientTimeout},
		aRequestBody:     {t.ClientBody, hop.ClientTimeout},
		theClientToTake:  {t.WriteStall, hop.ClientWriteTimeout},
		aResponseHead:    {t.ResponseHead, hop.ResponseTimeout},
		aResponseBody:    {t.BackendBody, hop.BackendBodyTimeout},
		theBackendToTake: {t.WriteStall, hop.ResponseTimeout},
		theTunnel:        {t.TunnelIdle, hop.TunnelIdle},
	}
}

// allow puts the limits in force, also for waits that are under way.
func (s *sweeper) allow(new *settings) {
	s.limits.Store(&limits{waitsOf(new.Timeouts), s.tick, new.halfClose})
}

// ticks is a time in ticks, rounded up.
func (s *sweeper) ticks(d time.Duration) uint64 { return uint64((d + s.tick - 1) / s.tick) }

// run sweeps until stop is closed. each is called at every tick, too.
func (s *sweeper) run(stop <-chan struct{}, each func(now uint64)) {
	ticker := time.NewTicker(s.tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		now := s.now.Add(1) // also if it is late: waits that began meanwhile are not as old
		s.setDate()
		s.sweep(now)
		each(now)
	}
}

func (s *sweeper) setDate() {
	date := time.Now().UTC().AppendFormat(nil, http.TimeFormat)
	s.date.Store(&date)
}

func (s *sweeper) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

func (s *sweeper) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// each calls f for every connection. f must not block.
func (s *sweeper) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}

func (s *sweeper) sweep(now uint64) {
	limits := s.limits.Load()
	s.each(func(c *conn) {
		if limits.overdue(&c.reading, now) {
			c.Conn.SetReadDeadline(longAgo) // fails only on a closed connection
		}
		if limits.overdue(&c.writing, now) {
			c.Conn.SetWriteDeadline(longAgo)
		}
		if due := c.due.Load(); due > 0 && now > due {
			c.overrun(now)
		}
		if backend := c.peer.Load(); backend != nil {
			limits.leave(c, backend, now)
		}
	})
}

// overdue ends a wait that has taken too long. It may have begun at the end of
// its tick.
func (l *limits) overdue(w *wait, now uint64) bool {
	f, since := w.get()
	if f >= numWaits || l.waits[f].time == 0 || now <= since || time.Duration(now-since-1)*l.tick < l.waits[f].time {
		return false
	}
	return w.expire(f, since, l.waits[f].cause)
}

// leave ends the wait for a backend whose client is gone. Nobody reads what the
// client sends meanwhile, so that its FIN would not be seen; but before the
// backend has taken the body, the rest of that may be in front of a FIN, and
// only a reset is the end.
func (l *limits) leave(client, backend *conn, now uint64) {
	if backend.reading.is(now, aResponseHead, aResponseBody) && client.gone(l.half) {
		backend.expireRead(now, hop.ClientGone, aResponseHead, aResponseBody)
	}
	if backend.writing.is(now, theBackendToTake) && client.gone(true) {
		backend.expireWrite(now, hop.ClientGone, theBackendToTake)
	}
}

// longAgo is a deadline that is over.
var longAgo = time.Unix(1, 0)
