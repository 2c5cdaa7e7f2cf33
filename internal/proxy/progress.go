package proxy

import (
	"sync"
	"time"
)

// progress follows a response body on its way from the backend to the client.
// One timer does two things: it ends the wait for a part that does not come,
// and it sends what net/http holds back of the parts before.
//
// httputil could do the latter, at the price of a timer of its own for every
// response. Nearly all come in one part, and then neither is needed.
type progress struct {
	of    passage
	limit time.Duration // for a part to come
	hold  time.Duration // for something held back; 0: nothing is

	mu      sync.Mutex // held while flushing, so that nobody writes then
	timer   *time.Timer
	reading bool // the backend is waited for; nobody writes
	held    bool // the timer is that for what is held back
	due     bool // it has fired while somebody wrote
	ended   bool
}

// passage is what a progress follows.
type passage interface {
	flush() // sends what is held back
	stall() // ends the wait for a part
}

// begin is called before each part. The head is held back before the first.
func (p *progress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = true
	switch first := p.timer == nil; {
	case first && p.hold > 0:
		p.holdBack()
	case p.due:
		p.send()
	case !p.held:
		p.arm(p.limit)
	}
}

// end is called after each part, with whether it was the last.
func (p *progress) end(last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = false
	switch {
	case last:
		p.ended = true
		p.timer.Stop()
	case p.hold == 0:
		p.timer.Stop()
	case !p.held:
		p.holdBack()
	}
}

func (p *progress) holdBack() {
	p.held = true
	p.arm(p.hold)
}

// send sends what is held back; from then on only the next part is waited for.
func (p *progress) send() {
	p.of.flush()
	p.held, p.due = false, false
	p.arm(p.limit)
}

func (p *progress) arm(d time.Duration) {
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.fire)
		return
	}
	p.timer.Reset(d)
}

func (p *progress) fire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
	case !p.held && p.reading:
		p.of.stall()
	case p.held && p.reading:
		p.send()
	case p.held:
		p.due = true
	}
}
