package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds how many requests may be sent again, so that retries cannot
// multiply an outage's load: a share of all requests, and so many a second on
// top, saved up to a burst.
type Budget struct {
	Share float64
	Rate  int // a second
	Burst int
}

// retries is what is left of the budget.
type retries struct {
	requests atomic.Int64 // that have come since the last look

	mu     sync.Mutex
	budget Budget
	saved  float64
	looked time.Time
}

// become puts another budget in force. What was saved stays, up to the new
// burst; the first budget begins with its burst.
func (r *retries) become(b Budget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.budget == (Budget{}) {
		r.saved = float64(b.Burst)
	}
	r.budget = b
	r.saved = min(r.saved, float64(b.Burst))
}

// CountRequest adds a request to those that the budget is a share of.
func (p *ServerPool) CountRequest() { p.retries.requests.Add(1) }

// TakeRetry takes one retry from the budget, if there is one left.
func (p *ServerPool) TakeRetry(now time.Time) bool {
	r := &p.retries
	r.mu.Lock()
	defer r.mu.Unlock()
	earned := r.budget.Share * float64(r.requests.Swap(0))
	if !r.looked.IsZero() {
		earned += float64(r.budget.Rate) * now.Sub(r.looked).Seconds()
	}
	r.looked = now
	r.saved = min(r.saved+earned, float64(r.budget.Burst))
	if r.saved < 1 {
		return false
	}
	r.saved--
	return true
}
