package http1

import "sync"

// mostIdle is how many of a crew wait for a client at a time.
const mostIdle = 64

// crew are goroutines that serve one client after the other, for the stack that
// it takes has grown already: 3 % of a connection with one request.
type crew struct {
	next    chan *client // to one of those who wait
	idle    chan struct{}
	working sync.WaitGroup
}

func newCrew() *crew {
	return &crew{next: make(chan *client), idle: make(chan struct{}, mostIdle)}
}

// serve has a client served.
func (w *crew) serve(c *client) {
	select {
	case w.next <- c:
	default:
		w.working.Go(func() { w.work(c) })
	}
}

func (w *crew) work(c *client) {
	for ok := true; ok; c, ok = w.wait() {
		c.serve()
	}
}

// wait is for the next client, unless there are enough who wait.
func (w *crew) wait() (c *client, ok bool) {
	select {
	case w.idle <- struct{}{}:
		c, ok = <-w.next
		<-w.idle
		return c, ok
	default:
		return nil, false
	}
}

// dismiss is for when there are no clients any more, and none will come.
func (w *crew) dismiss() {
	close(w.next)
	w.working.Wait()
}
