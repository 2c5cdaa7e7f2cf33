package stack

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience bounds every wait. It is what a broken program costs, never what a
// working one takes. E2E_PATIENCE is for programs that are broken on purpose.
var Patience = patience()

func patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("E2E_PATIENCE")); err == nil {
		return d
	}
	return 20 * time.Second
}

// Stack is a proxy that is ready, and its backends.
type Stack struct {
	T        testing.TB
	Mode     Mode
	Proxy    *Proxy
	Backends []*Backend
	File     string // path of the proxy's file on this host; "": none
	client   *http.Client
}

// Option changes what New starts.
type Option func(*options)

type options struct {
	backends int
	env      map[string]string
	peers    []string // addresses of backends that the test plays itself
	shipped  bool
	prefix   string
	file     func(urls []string) string
	oneName  bool
}

// WithBackends sets how many sample backends there are; the default is 3.
func WithBackends(n int) Option { return func(o *options) { o.backends = n } }

// WithPrefix gives the URL of every sample backend a path.
func WithPrefix(path string) Option { return func(o *options) { o.prefix = path } }

// With sets a setting of the proxy by its variable.
func With(variable, value string) Option { return func(o *options) { o.env[variable] = value } }

// WithFile gives the proxy a configuration file with the text for the backends'
// URLs, which no variable then names.
func WithFile(text func(urls []string) string) Option { return func(o *options) { o.file = text } }

// WithQuickProbes is for waiting until a backend is back, or out by its probes.
// Two bad ones in a row take it out, so that a machine that is busy for a
// moment does not.
func WithQuickProbes() Option {
	return func(o *options) {
		o.env["HEALTH_CHECK_INTERVAL"], o.env["HEALTH_CHECK_FALL"] = "300ms", "2"
	}
}

// WithOneName has the proxy know all backends by one name, which has their
// addresses. Only containers have names.
func WithOneName() Option { return func(o *options) { o.oneName = true } }

// WithPeers adds backends that the test plays itself, by URL, or by address
// for http.
func WithPeers(urls ...string) Option {
	return func(o *options) {
		for _, u := range urls {
			if !strings.Contains(u, "://") {
				u = "http://" + u
			}
			o.peers = append(o.peers, u)
		}
	}
}

// New starts backends, then a proxy for them, and waits until it takes
// traffic. All ends with the test.
func New(t testing.TB, mode Mode, opts ...Option) *Stack {
	t.Helper()
	o := options{backends: 3, env: map[string]string{
		// Quick enough to wait for. The timeout is as long, so that a busy
		// machine may be slow to answer.
		"HEALTH_CHECK_INTERVAL": "1s",
		"LOG_LEVEL":             "debug",
		"LOG_FORMAT":            "text",
		"ACCESS_LOG_FLUSH":      "5ms",
	}}
	if plane := PlaneOf(t); plane != "" {
		o.env["PROXY_PLANE"] = string(plane)
	}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Stack{T: t, Mode: mode, client: newClient(t)}
	host := newHost(t, mode)
	if h, ok := host.(*binaryHost); ok {
		h.shipped = o.shipped
	}
	if h, ok := host.(*containerHost); ok && o.oneName {
		h.onOnePort()
	}
	urls := append([]string(nil), o.peers...)
	s.Backends = make([]*Backend, o.backends)
	sideBySide(t, o.backends, func(i int) {
		s.Backends[i] = newBackend(t, host, fmt.Sprintf("backend%d", i+1), i)
	})
	for _, b := range s.Backends {
		b.url += o.prefix
		urls = append(urls, b.url)
	}
	if o.oneName {
		urls = []string{"http://" + everyBackend + ":8081"}
	}
	if o.file != nil {
		o.env["PROXY_CONFIG"], s.File = host.file(o.file(urls))
	} else if _, set := o.env["TARGET_BACKEND_URLS"]; !set {
		o.env["TARGET_BACKEND_URLS"] = strings.Join(urls, ",")
	}
	s.Proxy = newProxy(t, host, o.env)
	s.Proxy.AwaitLog(ready)
	s.Proxy.find()
	return s
}

// sideBySide calls f with 0 to n-1 at a time: a container takes its time to
// start. If one of them fails, so does the test, when all have returned.
func sideBySide(t testing.TB, n int, f func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
	if t.Failed() {
		t.FailNow() // in a goroutine of f that ended only the goroutine
	}
}

// Backend is the n-th backend, from 1.
func (s *Stack) Backend(n int) *Backend { return s.Backends[n-1] }

// URL is the proxy's, with the path.
func (s *Stack) URL(path string) string { return "http://" + s.Proxy.Addr + path }

// AwaitUp waits until the proxy holds all of the backends for up.
func (s *Stack) AwaitUp(backends ...*Backend) {
	s.T.Helper()
	for _, b := range backends {
		s.awaitState(b, "up")
	}
}

// AwaitDown waits until the proxy holds all of the backends for down.
func (s *Stack) AwaitDown(backends ...*Backend) {
	s.T.Helper()
	for _, b := range backends {
		s.awaitState(b, "down")
	}
}

func (s *Stack) awaitState(b *Backend, state string) {
	s.T.Helper()
	s.Proxy.instance.stderr().Until(s.T, func(log string) bool { return stateIn(log, b) == state }, "%s is not %s", b.Name, state)
}

// State is what the proxy last said of the backend: up, down or "".
func (s *Stack) State(b *Backend) string { return stateIn(s.Proxy.Log(), b) }

// stateIn is asked often, of long logs, so it reads them from the end.
func stateIn(log string, b *Backend) string {
	about := " backend=" + b.url + " from="
	last := strings.LastIndex(log, about)
	if last < 0 {
		return ""
	}
	_, change, _ := strings.Cut(log[last:], " to=")
	state, _, _ := strings.Cut(change, " ")
	return state
}

// Changes counts how often the proxy said that the backend went to the state.
func (s *Stack) Changes(b *Backend, to string) int {
	n := 0
	for line := range strings.Lines(s.Proxy.Log()) {
		if strings.Contains(line, " backend="+b.url+" ") && strings.Contains(line, " to="+to+" ") {
			n++
		}
	}
	return n
}

// Reason is why the backend is in its state.
func (s *Stack) Reason(b *Backend) string {
	s.T.Helper()
	pattern := ` backend=` + regexp.QuoteMeta(b.url) + ` from=\S+ to=\S+ reason=("(?:[^"\\]|\\.)*"|\S+)\n`
	matches := regexp.MustCompile(pattern).FindAllStringSubmatch(s.Proxy.Log(), -1)
	require.NotEmpty(s.T, matches, "nothing is said of %s", b.Name)
	reason := matches[len(matches)-1][1]
	if unquoted, err := strconv.Unquote(reason); err == nil {
		return unquoted
	}
	return reason
}
