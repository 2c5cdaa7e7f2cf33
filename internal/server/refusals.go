package server

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// quiet is the least time between two lines about refusals: who connects too
// often must not fill the log.
const quiet = time.Second

// refusals tells how many connections were not admitted: of the first at once,
// of those that follow when it has been quiet for long enough.
type refusals struct {
	log *slog.Logger

	mu     sync.Mutex
	counts [numLimits]int // not told yet
	last   string         // who came then
	pause  *time.Timer    // nil: a line may be written
}

func (r *refusals) note(above limit, client net.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[above]++
	r.last = client.String()
	if r.pause == nil {
		r.tell()
	}
}

// tell writes what has not been told, if there is any.
func (r *refusals) tell() {
	r.pause = nil
	refused := r.counts[inAll] + r.counts[ofOneClient]
	if refused == 0 {
		return
	}
	r.log.Warn("too many connections: new ones are reset", "refused", refused, "of_one_client", r.counts[ofOneClient], "last", r.last)
	r.counts = [numLimits]int{}
	r.pause = time.AfterFunc(quiet, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tell()
	})
}

// end tells the rest at once.
func (r *refusals) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pause != nil {
		r.pause.Stop()
		r.tell()
	}
}
