package backendserver

import (
	"net/http"
	"sync"
)

// Handler answers requests the way the sample backend does.
type Handler struct {
	id       Identity
	lab      lab
	release  sync.Once
	released chan struct{}
}

// NewHandler makes the handler of the backend that id describes. Without
// faults, what would steer the fault lab is echoed like any other request.
func NewHandler(id Identity, faults bool) *Handler {
	return &Handler{id: id, lab: lab{on: faults}, released: make(chan struct{})}
}

// Release cuts the connections whose answer is made to hang, now and from now
// on. Who serves a Handler calls it before the server shuts down.
func (h *Handler) Release() {
	h.release.Do(func() { close(h.released) })
}

// ServeHTTP answers one request. The body is read before anything else: only
// then does net/http notice that the client goes while it waits.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Backend", h.id.Name)
	patient := newPatientWriter(w)
	content, err := receive(patient, r)
	d := delivery{w: patient, r: r, released: h.released}
	d.answer, d.fault = h.respond(r, content, err)
	d.run()
}

// respond decides what the answer is, and how it misbehaves.
func (h *Handler) respond(r *http.Request, content received, broken error) (answer, fault) {
	switch {
	case broken != nil:
		return unreadable(broken), ordinary()
	case r.Method == http.MethodConnect: // a 200 would promise a tunnel
		return textAnswer(http.StatusMethodNotAllowed, "CONNECT is not supported\n"), ordinary()
	case h.lab.controls(r.URL.Path):
		return h.lab.control(r), ordinary()
	}
	f, err := h.lab.faultFor(r)
	switch {
	case err != nil:
		return textAnswer(http.StatusBadRequest, err.Error()+"\n"), ordinary()
	case r.URL.Path == healthPath:
		return h.lab.health.answer(f)
	}
	return newEcho(r, content, h.id).answer(r), f
}
