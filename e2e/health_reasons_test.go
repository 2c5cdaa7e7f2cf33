package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// Anything but the expected status in time counts against a backend, and the
// log says what it was.
func TestBackendIsOutForWhateverIsWrongWithItsHealthCheck(t *testing.T) {
	const interval, timeout, machine = 300 * time.Millisecond, 200 * time.Millisecond, time.Second
	fault := func(query string) func(*stack.Backend) {
		return func(b *stack.Backend) { b.Fault(query) }
	}
	wrongs := []struct {
		what        string
		start, stop func(*stack.Backend)
		reason      string
	}{
		{"redirects", fault("status=302"), fault(""), `probe: status 302, want 200`},
		{"another good status", fault("status=204"), fault(""), `probe: status 204, want 200`},
		{"an error", fault("status=500"), fault(""), `probe: status 500, want 200`},
		{"answers beyond the timeout", fault("delay=250ms"), fault(""), `no answer to the probe within 200ms`},
		{"half its answer beyond the timeout", fault("drip=80ms"), fault(""), `no answer to the probe within 200ms`},
		{"closes", fault("fault=close"), fault(""), `probe: EOF`},
		{"resets", fault("fault=reset"), fault(""), `probe: read tcp \S+: read: connection reset by peer`},
		{"is no HTTP", fault("fault=garbage"), fault(""), `probe: net/http: HTTP/1\.x transport connection broken: malformed HTTP \S+ .*`},
		{"breaks off", fault("fault=close-body"), fault(""), `probe: body: unexpected EOF`},
		{"refuses", (*stack.Backend).Kill, (*stack.Backend).Start, `probe: dial tcp.*|no answer to the probe within 200ms`},
	}
	const sick = 5 // at a time, so that all of it does not take long
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(sick+1), stack.With("HEALTH_CHECK_PATH", "/ready"), // where the fault lab applies
			stack.With("HEALTH_CHECK_INTERVAL", interval.String()), stack.With("HEALTH_CHECK_TIMEOUT", timeout.String()))
		for wrongs := range slices.Chunk(wrongs, sick) {
			begin := make([]time.Time, sick)
			for i, wrong := range wrongs {
				wrong.start(s.Backends[i])
				begin[i] = time.Now()
			}
			for i, wrong := range wrongs {
				s.AwaitDown(s.Backends[i])
				require.Less(t, time.Since(begin[i]), interval*11/10+timeout+machine, wrong.what)
				require.Regexp(t, `^(`+wrong.reason+`)$`, s.Reason(s.Backends[i]), wrong.what)
			}
			require.Equal(t, stack.Shares(10, s.Backends[len(wrongs):]...), s.Spread(10*(sick+1-len(wrongs))))
			for i, wrong := range wrongs {
				wrong.stop(s.Backends[i])
			}
			s.AwaitUp(s.Backends...)
		}
		require.Equal(t, stack.Shares(10, s.Backends...), s.Spread(10*len(s.Backends)))
	})
}

// Where a redirect leads says nothing of this backend's health.
func TestRedirectOfAHealthCheckIsNotFollowed(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		var followed atomic.Bool
		healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/health":
				http.Redirect(w, r, "/well", http.StatusFound)
			case "/well":
				followed.Store(true)
			}
		}))
		defer healthy.Close()
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(healthy.URL))
		s.Proxy.AwaitLog(`backend=` + healthy.URL + ` from=unknown to=down reason="probe: status 302, want 200"`)
		require.Equal(t, http.StatusServiceUnavailable, s.Get("/").StatusCode)
		require.False(t, followed.Load())
	})
}

// Rise and fall count probes in a row. That holds for each single probe, so it
// is shown without a clock: the backend follows a script of answers, and the
// log tells what became of each.
func TestRiseAndFallCountProbesInARow(t *testing.T) {
	// Good and bad probes; U and D is where the state changes. The first one
	// decides alone.
	want := strings.Fields("+U - + - -D + + - + + +U -")
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		scripted := playHealth(t, want)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(scripted), stack.With("HEALTH_CHECK_INTERVAL", "200ms"),
			stack.With("HEALTH_CHECK_RISE", "3"), stack.With("HEALTH_CHECK_FALL", "2"))
		var got []string
		require.Eventually(t, func() bool {
			got = probesAndChanges(s.Proxy.Log())
			return len(got) > len(want) // so that the last one's change is in the log, too
		}, stack.Patience, 10*time.Millisecond)
		require.Equal(t, want, got[:len(want)])
	})
}

// playHealth is a backend whose probes go as the script says; at its end they
// are good.
func playHealth(t *testing.T, script []string) (url string) {
	var probes atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := int(probes.Add(1)); n <= len(script) && strings.HasPrefix(script[n-1], "-") {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "as the script says")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

var probeOrChange = regexp.MustCompile(`msg=probed .* result=(.*)\n|msg="backend is (up|down)"`)

// probesAndChanges shows the probes of a log as + and -, and behind the one
// that changed the state U or D.
func probesAndChanges(log string) []string {
	var seen strings.Builder
	for _, match := range probeOrChange.FindAllStringSubmatch(log, -1) {
		switch {
		case match[2] == "up":
			seen.WriteString("U")
		case match[2] == "down":
			seen.WriteString("D")
		case match[1] == "ok":
			seen.WriteString(" +")
		default:
			seen.WriteString(" -")
		}
	}
	return strings.Fields(seen.String())
}
