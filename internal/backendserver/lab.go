package backendserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

const labPath = "/faults"

// lab is the fault lab: what stands until it is changed by its control plane.
type lab struct {
	on       bool
	health   health
	standing atomic.Pointer[fault] // of echo requests that ask for none themselves; nil: ordinary
}

// faultFor is the fault of one request: its own, else the standing one. The
// standing fault spares /health, which has a state of its own.
func (l *lab) faultFor(r *http.Request) (fault, error) {
	if !l.on {
		return ordinary(), nil
	}
	own, err := parseFault(parse, r.URL.Query())
	standing := l.standing.Load()
	if err != nil || own.given != "" || standing == nil || r.URL.Path == healthPath {
		return own, err
	}
	return *standing, nil
}

// set makes the fault that the query describes the standing one.
func (l *lab) set(query url.Values) error {
	f, err := parseFault(parseOnly, query)
	if err != nil {
		return err
	}
	l.standing.Store(&f)
	return nil
}

func (l *lab) String() string {
	requests := "no fault"
	if f := l.standing.Load(); f != nil && f.given != "" {
		requests = f.given
	}
	return fmt.Sprintf("health:   %v\nrequests: %s\n", &l.health, requests)
}

// command is one thing the control plane can do.
type command struct {
	method, path, help string
	parameters         []parameter // for the help
	run                func(*lab, url.Values) error
}

// commands is the one place that names them. A function, since the help,
// which one of them prints, lists them.
func commands() []command {
	setHealth := func(l *lab, query url.Values) error { return l.health.set(query) }
	return []command{
		{"GET", labPath, "shows the state and this text", nil, nil},
		{"POST", labPath + "/health", "makes /health answer differently, by one of", new(healthOrder).parameters(), setHealth},
		{"POST", labPath + "/requests", "the parameters above, for every later echo request that has none; none: clears", nil, (*lab).set},
	}
}

// controls tells whether a path belongs to the control plane.
func (l *lab) controls(path string) bool {
	return l.on && (path == labPath || strings.HasPrefix(path, labPath+"/"))
}

// control obeys a request to the control plane.
func (l *lab) control(r *http.Request) answer {
	for _, c := range commands() {
		if c.path != strings.TrimSuffix(r.URL.Path, "/") {
			continue
		}
		if r.Method != c.method && !(r.Method == http.MethodHead && c.method == http.MethodGet) {
			a := textAnswer(http.StatusMethodNotAllowed, c.method+" only\n")
			a.fields.Set("Allow", c.method)
			return a
		}
		return l.obey(c, r.URL.Query())
	}
	return textAnswer(http.StatusNotFound, "not known, GET "+labPath+" lists what is\n")
}

func (l *lab) obey(c command, query url.Values) answer {
	if c.run == nil {
		return textAnswer(http.StatusOK, l.String()+"\n"+labHelp())
	}
	if err := c.run(l, query); err != nil {
		return textAnswer(http.StatusBadRequest, err.Error()+"\n")
	}
	return textAnswer(http.StatusOK, l.String())
}
