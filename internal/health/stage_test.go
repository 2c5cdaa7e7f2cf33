package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/health"
	"go-proxy/internal/pool"
)

// Settings of most tests: the defaults, without jitter.
const (
	interval = 10 * time.Second
	timeout  = 2 * time.Second
)

func settings() config.Health {
	return config.Health{
		Path: "/health", Interval: interval, Timeout: timeout, ExpectStatus: 200,
		Rise: 1, Fall: 1, PassiveFall: 1,
	}
}

// script is how a backend meets its n-th probe, counted from 0.
type script func(ctx context.Context, n int) error

var errSick = errors.New("probe: status 503, want 200")

func healthy(context.Context, int) error { return nil }

func sick(context.Context, int) error { return errSick }

// hangs gives no answer until it has to.
func hangs(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// takes answers well after d, or not at all.
func takes(d time.Duration) script {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// results answers as written, + or -, and stays with the last.
func results(list string) script {
	return func(_ context.Context, n int) error {
		if list[min(n, len(list)-1)] == '+' {
			return nil
		}
		return errSick
	}
}

// stage is a Checker at work on scripted backends, in a bubble whose clock
// stands at 0 when it starts.
type stage struct {
	t       *testing.T
	pool    *pool.ServerPool
	checker *health.Checker
	open    atomic.Int64 // probers
	stop    context.CancelFunc
	ended   chan struct{} // closed when Run has returned
	start   time.Time

	mu      sync.Mutex
	scripts map[string]script
	starts  map[string][]time.Duration // of the probes, by backend
	paths   []string                   // of the probes
	changes []string
	last    time.Duration // when the last of them was
	log     bytes.Buffer
}

// play runs a Checker over backends called http://a, http://b and so on while
// f looks on. It is stopped after f, and nothing of it may go on.
func play(t *testing.T, s config.Health, f func(*testing.T, *stage), scripts ...script) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := set(t, s, nil, scripts...)
		st.run()
		f(t, st)
		st.stop()
		<-st.ended
		require.Zero(t, st.open.Load(), "probers left open")
	})
}

// scripted is the prober of a backend.
type scripted struct {
	backend  *pool.Backend
	settings config.Health
	probe    func(context.Context, *pool.Backend) error
	stage    *stage
}

func (p *scripted) Probe(ctx context.Context) error {
	p.stage.mu.Lock()
	p.stage.paths = append(p.stage.paths, p.settings.Path)
	p.stage.mu.Unlock()
	return p.probe(ctx, p.backend)
}

func (p *scripted) Close() { p.stage.open.Add(-1) }

// judging are the pool's settings for those of health.
func judging(s config.Health) pool.Settings {
	return pool.Settings{Thresholds: pool.Thresholds{Rise: s.Rise, Fall: s.Fall, PassiveFall: s.PassiveFall}, Ejects: s.Ejection > 0}
}

// set makes a stage on which nothing runs yet. react, if not nil, hears of
// changes after they were noted.
func set(t *testing.T, s config.Health, react func(pool.Change), scripts ...script) *stage {
	st := &stage{t: t, start: time.Now(), ended: make(chan struct{}), starts: map[string][]time.Duration{}, scripts: map[string]script{}}
	var backends []config.Backend
	counts := map[string]int{}
	for i, script := range scripts {
		u := &url.URL{Scheme: "http", Host: string(rune('a' + i))}
		backends = append(backends, config.Backend{URL: u})
		st.scripts[u.String()] = script
	}
	st.pool = pool.New(backends, judging(s), func(c pool.Change) {
		st.note(c)
		if react != nil {
			react(c)
		}
	})
	probe := func(ctx context.Context, b *pool.Backend) error {
		st.mu.Lock()
		st.starts[b.String()] = append(st.starts[b.String()], st.now())
		n := counts[b.String()]
		counts[b.String()]++
		script := st.scripts[b.String()]
		st.mu.Unlock()
		return script(ctx, n)
	}
	newProber := func(b *pool.Backend, s config.Health) health.Prober {
		st.open.Add(1)
		return &scripted{b, s, probe, st}
	}
	st.checker = health.New(st.pool, s, newProber, slog.New(slog.NewTextHandler(&locked{&st.mu, &st.log}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				a.Value = slog.DurationValue(st.now())
			}
			return a
		},
	})))
	return st
}

// locked lets a test read what others write.
type locked struct {
	mu     *sync.Mutex
	buffer *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

// run starts the Checker.
func (s *stage) run() {
	ctx, stop := context.WithCancel(s.t.Context())
	s.stop = stop
	go func() {
		defer close(s.ended)
		s.checker.Run(ctx)
	}()
}

func (s *stage) now() time.Duration { return time.Since(s.start) }

// until lets time pass until the clock shows at, and everything due then has
// been done.
func (s *stage) until(at time.Duration) {
	s.t.Helper()
	require.LessOrEqual(s.t, s.now(), at)
	time.Sleep(at - s.now())
	synctest.Wait()
}

func (s *stage) note(c pool.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = s.now()
	s.changes = append(s.changes, fmt.Sprintf("%v %v: %v -> %v: %s", s.last, c.Backend, c.From, c.To, c.Reason))
}

// changed returns what was reported since it was last called.
func (s *stage) changed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes := s.changes
	s.changes = nil
	return changes
}

// probed is when the probes of a backend started.
func (s *stage) probed(backend string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.starts[backend])
}

// logged is every line of the log so far.
func (s *stage) logged() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.log.String(), "\n"), "\n")
}

// ready says whether Ready is closed.
func (s *stage) ready() bool {
	select {
	case <-s.checker.Ready():
		return true
	default:
		return false
	}
}

// fail has a request to the only backend fail, as a plane would: if that took
// the backend down, a probe is asked for.
func (s *stage) fail() {
	s.t.Helper()
	lease, err := s.pool.Acquire(pool.NoKey)
	require.NoError(s.t, err)
	lease.Failed("reset_before_response")
	if lease.Backend.State() == pool.Down {
		s.checker.Nudge(lease.Backend)
	}
	synctest.Wait()
}
