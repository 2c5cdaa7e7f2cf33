package backendserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go-proxy/internal/config"
)

const healthPath = "/health"

// The states of /health.
const (
	up      = "up"
	down    = "down"
	hanging = "hang"
)

// health is how /health answers. The zero value is up. While it flaps, the
// state follows from the clock: nothing runs in the background.
type health struct {
	mu sync.Mutex
	healthOrder
	since time.Time
}

// healthOrder is one of a state and a time to flap.
type healthOrder struct {
	state string
	flap  time.Duration
}

// parameters is the one place that names what the state can be told. Setting
// a row's value changes o.
func (o *healthOrder) parameters() []parameter {
	return []parameter{
		{"state", "down", "200 (up), 503 (down) or no answer at all (hang)", config.OneOf(&o.state, up, down, hanging)},
		{"flap", "2s", "up for this long, down for as long, and so on until the next POST", config.Duration(&o.flap)},
	}
}

// set obeys the query of a POST to the control plane.
func (h *health) set(query url.Values) error {
	var o healthOrder
	if err := parseOnly(o.parameters(), query); err != nil {
		return err
	}
	if query.Has("state") == query.Has("flap") {
		return config.Problem{Source: "query", Err: errors.New("not one parameter"), Valid: "either state or flap"}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.healthOrder, h.since = o, time.Now()
	return nil
}

// current is the state right now, and how often it changes (0: never).
func (h *health) current() (string, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.flap == 0:
		return cmp.Or(h.state, up), 0
	case time.Since(h.since)/h.flap%2 == 1:
		return down, h.flap
	}
	return up, h.flap
}

func (h *health) String() string {
	state, flap := h.current()
	if flap > 0 {
		return fmt.Sprintf("%s, changing every %v", state, flap)
	}
	return state
}

// answer is what /health answers to a request that asks for f.
func (h *health) answer(f fault) (answer, fault) {
	switch state, _ := h.current(); state {
	case hanging:
		f.kind = "hang"
	case down:
		return textAnswer(http.StatusServiceUnavailable, "DOWN\n"), f
	}
	return textAnswer(http.StatusOK, "OK\n"), f
}
