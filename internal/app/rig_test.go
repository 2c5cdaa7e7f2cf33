package app_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/config"
	"go-proxy/internal/testkit"
)

// output is what a program wrote.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the output matches, and returns the last submatch.
func (o *output) await(t testing.TB, pattern string) string {
	t.Helper()
	var match []string
	require.Eventually(t, func() bool {
		match = regexp.MustCompile(pattern).FindStringSubmatch(o.String())
		return match != nil
	}, testkit.Patience, time.Millisecond, "no %q in:\n%s", pattern, o)
	return match[len(match)-1]
}

// running is a proxy in this process.
type running struct {
	t           testing.TB
	addr        string
	log, access output
	asked       chan os.Signal
	level       *slog.LevelVar
	stop, hurry context.CancelFunc
	result      chan error
}

// start runs a proxy with flags and waits until it takes traffic.
func start(t testing.TB, backends []string, flags ...string) *running {
	t.Helper()
	r := launch(t, backends, flags...)
	r.addr = r.log.await(t, `msg=ready address=(\S+)`)
	return r
}

// launch is start without the waiting.
func launch(t testing.TB, backends []string, flags ...string) *running {
	t.Helper()
	return run(t, app.Inputs{}, append([]string{"-listen", "127.0.0.1:0", "-backends", strings.Join(backends, ","), "-log-level", "debug"}, flags...)...)
}

// run runs a proxy with the flags and inputs. Its configuration may be loaded
// again.
func run(t testing.TB, in app.Inputs, flags ...string) *running {
	t.Helper()
	asked := make(chan os.Signal, 1)
	in.Asked, in.Level = asked, new(slog.LevelVar)
	if in.Load == nil {
		in.Load = func() (*config.Config, error) { return config.Proxy(flags, func(string) string { return "" }) }
	}
	c, err := in.Load()
	require.NoError(t, err)
	require.NoError(t, in.Level.UnmarshalText([]byte(c.Log.Level)))
	r := &running{t: t, asked: asked, level: in.Level, result: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: in.Level}))
	ctx, stop := context.WithCancel(context.Background())
	urgent, hurry := context.WithCancel(context.Background())
	r.stop, r.hurry = stop, hurry
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.result <- app.Run(ctx, urgent, c, in, &r.access, log)
	}()
	t.Cleanup(func() {
		stop()
		hurry()
		<-done
		if t.Failed() {
			t.Log(r.log.String(), r.access.String())
		}
	})
	return r
}

// ended is what Run returned.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.result:
		return err
	case <-time.After(testkit.Patience):
		require.FailNow(r.t, "still running")
		return nil
	}
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	response, err := http.Get("http://" + r.addr + path)
	require.NoError(r.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response.StatusCode, string(body)
}

// sample is a backend whose health can be switched.
type sample struct {
	*httptest.Server
	sick atomic.Bool
}

// newSample answers every request with its name.
func newSample(t testing.TB, name string) *sample {
	s := new(sample)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/health":
			io.WriteString(w, name)
		case s.sick.Load():
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s
}
