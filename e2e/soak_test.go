package e2e

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// Random faults from a seeded schedule, for as long as SOAK says (make soak).
// SOAK_SEED replays the schedule of a run that failed.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("SOAK is no duration: make soak")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SOAK_SEED"); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SOAK_SEED=%d", seed)
	stack.Run(t, []stack.Mode{stack.Containers}, func(t *testing.T, mode stack.Mode) {
		soak := &soak{
			t:      t,
			random: rand.New(rand.NewPCG(seed, 0)),
			stack:  stack.New(t, mode, stack.With("RESPONSE_HEAD_TIMEOUT", "1s"), stack.With("DIAL_TIMEOUT", "500ms")),
		}
		soak.memory, soak.descriptors = soak.stack.Proxy.Memory(), soak.stack.Proxy.Descriptors()
		for end := time.Now().Add(length); time.Now().Before(end); {
			soak.round()
		}
		t.Logf("%d rounds, %d requests", soak.rounds, soak.requests)
	})
}

// soak is a stack under load whose backends fail in turn.
type soak struct {
	t                *testing.T
	random           *rand.Rand
	stack            *stack.Stack
	rounds, requests int

	memory      int64
	descriptors int
}

// faults make a backend fail and mend it again.
var faults = map[string]struct{ fail, mend func(*stack.Backend) }{
	"kill":       {(*stack.Backend).Kill, (*stack.Backend).Start},
	"pause":      {(*stack.Backend).Pause, (*stack.Backend).Resume},
	"disconnect": {(*stack.Backend).Disconnect, (*stack.Backend).Reconnect},
	"sick":       {func(b *stack.Backend) { b.Health("down") }, func(b *stack.Backend) { b.Health("up") }},
	"mute":       {func(b *stack.Backend) { b.Health("hang") }, func(b *stack.Backend) { b.Health("up") }},
	"resets":     {func(b *stack.Backend) { b.Fault("fault=reset") }, func(b *stack.Backend) { b.Fault("") }},
	"breaks off": {func(b *stack.Backend) { b.Fault("fault=close-body") }, func(b *stack.Backend) { b.Fault("") }},
	"is slow":    {func(b *stack.Backend) { b.Fault("delay=100ms") }, func(b *stack.Backend) { b.Fault("") }},
}

var faultNames = []string{"kill", "pause", "disconnect", "sick", "mute", "resets", "breaks off", "is slow"}

// round lets one or two of the three backends fail for a while, mends them and
// checks what must hold.
func (s *soak) round() {
	s.rounds++
	load := s.stack.Load(100, "")
	victims := s.random.Perm(len(s.stack.Backends))[:1+s.random.IntN(2)]
	names := make([]string, len(victims))
	for i, v := range victims {
		names[i] = faultNames[s.random.IntN(len(faultNames))]
		s.t.Logf("round %d: %s: %s", s.rounds, s.stack.Backends[v].Name, names[i])
		faults[names[i]].fail(s.stack.Backends[v])
	}
	time.Sleep(time.Duration(200+s.random.IntN(1000)) * time.Millisecond) // the time that the fault lasts
	for i, v := range victims {
		faults[names[i]].mend(s.stack.Backends[v])
	}
	sent := load.Stop()
	s.awaitGoodProbes()
	s.check(sent)
}

// awaitGoodProbes waits until each backend has passed two more probes. One may
// have been under way while the fault lasted; after the second nothing is left
// that could mark a backend down.
func (s *soak) awaitGoodProbes() {
	s.t.Helper()
	good := func(b *stack.Backend) int {
		n := 0
		for line := range strings.Lines(s.stack.Proxy.Log()) {
			if strings.Contains(line, "msg=probed backend="+b.URL()+" ") && strings.HasSuffix(line, "result=ok\n") {
				n++
			}
		}
		return n
	}
	for _, b := range s.stack.Backends {
		before := good(b)
		require.Eventually(s.t, func() bool { return good(b) >= before+2 }, stack.Patience, 10*time.Millisecond, "%s does not recover", b.Name)
	}
}

func (s *soak) check(shots []stack.Shot) {
	s.t.Helper()
	s.requests += len(shots)
	for _, shot := range shots {
		require.False(s.t, shot.Ended.IsZero(), "%s was never answered", shot.Path)
		if shot.Err == nil {
			require.Contains(s.t, []int{http.StatusOK, 502, 503, 504}, shot.Status, shot.Path)
		}
	}
	const more = 30
	require.Equal(s.t, stack.Shares(more/3, s.stack.Backends...), s.stack.Spread(more), "even again")
	s.requests += more
	s.awaitLines()
	require.Less(s.t, s.stack.Proxy.Memory(), s.memory+64<<20, "memory leaks")
	require.Less(s.t, s.stack.Proxy.Descriptors(), s.descriptors+500, "descriptors leak")
	require.NotContains(s.t, s.stack.Proxy.Log(), "panic")
}

// awaitLines waits until the access lines and the drops that the log reports
// are as many as the requests so far: nobody else asks this proxy. Of the load,
// whose paths differ, no request has two lines.
func (s *soak) awaitLines() {
	s.t.Helper()
	lines, dropped := s.account()
	for end := time.Now().Add(stack.Patience); lines+dropped < s.requests && time.Now().Before(end); lines, dropped = s.account() {
		time.Sleep(10 * time.Millisecond)
	}
	require.Equal(s.t, s.requests, lines+dropped, "%d access lines and %d reported drops", lines, dropped)
}

// account counts the lines about requests and the drops that others report.
func (s *soak) account() (lines, dropped int) {
	s.t.Helper()
	seen := make(map[string]bool)
	for line := range strings.Lines(s.stack.Proxy.AccessLog()) {
		_, rest, found := strings.Cut(line, " path=")
		switch {
		case !strings.HasSuffix(line, "\n"): // there is more to come of it
		case !found:
			dropped += drops(s.t, line)
		default:
			path, _, _ := strings.Cut(rest, " ")
			require.False(s.t, path != "/" && seen[path], "%s has two lines", path)
			seen[path] = true
			lines++
		}
	}
	return lines, dropped
}
