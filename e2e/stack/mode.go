// Package stack runs a reverse proxy and its backends for the tests in e2e:
// in this process, as the two real binaries, or in containers. A test says
// what it wants to see; how that is started, reached and ended is said here.
package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mode is a way of running the programs.
type Mode string

// The modes, from the quickest to the most real.
const (
	InProcess  Mode = "inprocess"
	Binaries   Mode = "binaries"
	Containers Mode = "containers"
)

// Every mode there is; Loopback are those whose backends a test can play
// itself, since they dial this host.
var (
	Every     = []Mode{InProcess, Binaries, Containers}
	Loopback  = []Mode{InProcess, Binaries}
	Processes = []Mode{Binaries, Containers}
)

// Plane is the implementation of the forwarding path that a proxy is started
// with.
type Plane string

// The planes.
const (
	HTTP1   Plane = "http1"
	NetHTTP Plane = "nethttp"
)

// Planes is every plane.
var Planes = []Plane{HTTP1, NetHTTP}

// enabled is what E2E_MODES asks for, comma separated; in process if nothing.
var enabled = sync.OnceValue(func() map[Mode]bool { return asked("E2E_MODES", Every, InProcess) })

// elsewhere are the modes that another run shows, as E2E_ELSEWHERE says.
var elsewhere = sync.OnceValue(func() map[Mode]bool { return asked("E2E_ELSEWHERE", Every) })

// planes is what E2E_PLANES asks for, comma separated; the default plane if
// nothing.
var planes = sync.OnceValue(func() map[Plane]bool { return asked("E2E_PLANES", Planes, HTTP1) })

// asked panics on a name that is none: with it, nothing would be shown, and no
// test would fail.
func asked[T ~string](variable string, known []T, unless ...T) map[T]bool {
	all := make(map[T]bool)
	for name := range strings.SplitSeq(os.Getenv(variable), ",") {
		if name == "" {
			continue
		}
		if !slices.Contains(known, T(name)) {
			panic(fmt.Sprintf("%s: %q is none of %q", variable, name, known))
		}
		all[T(name)] = true
	}
	if len(all) == 0 {
		for _, name := range unless {
			all[name] = true
		}
	}
	return all
}

// skipped counts subtests of modes that are not enabled.
var skipped struct {
	sync.Mutex
	counts map[Mode]int
}

// Needs skips a test that runs in one mode, whatever it does there, if that is
// not enabled, or shown by another run.
func Needs(t *testing.T, mode Mode) {
	if enabled()[mode] {
		if taken(t) {
			t.Skip("another run shows it")
		}
		return
	}
	skipped.Lock()
	defer skipped.Unlock()
	if skipped.counts == nil {
		skipped.counts = make(map[Mode]int)
	}
	skipped.counts[mode]++
	t.Skipf("mode %s is not in E2E_MODES", mode)
}

// taken reports whether another run shows this behaviour, and if none does, has
// it as this run's. Runs that share their tests have a folder for that,
// E2E_SHARED: whoever is free takes the next one.
func taken(t *testing.T) bool {
	shared := os.Getenv("E2E_SHARED")
	if shared == "" {
		return false
	}
	err := os.Mkdir(filepath.Join(shared, strings.ReplaceAll(t.Name(), "/", ",")), 0o755)
	if !errors.Is(err, fs.ErrExist) {
		require.NoError(t, err)
	}
	return err != nil
}

// Run repeats a behaviour in each of the modes, and there in each plane that
// E2E_PLANES asks for. A mode that is not enabled is skipped; Summary tells of
// what was left out.
func Run(t *testing.T, modes []Mode, behaviour func(t *testing.T, mode Mode)) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			Needs(t, mode)
			for _, plane := range Planes {
				if planes()[plane] {
					t.Run(string(plane), func(t *testing.T) {
						if mode == InProcess {
							checkGoroutines(t)
						}
						behaviour(t, mode)
					})
				}
			}
		})
	}
}

// PlaneOf is the plane that the test's name holds, or "".
func PlaneOf(t testing.TB) Plane {
	for part := range strings.SplitSeq(t.Name(), "/") {
		if slices.Contains(Planes, Plane(part)) {
			return Plane(part)
		}
	}
	return ""
}

// Summary says what was left out, or "".
func Summary() string {
	skipped.Lock()
	defer skipped.Unlock()
	var lines []string
	for _, mode := range Every {
		if n := skipped.counts[mode]; n > 0 && !elsewhere()[mode] {
			lines = append(lines, fmt.Sprintf("e2e: %d behaviours not shown %s (make e2e shows all)", n, map[Mode]string{
				InProcess: "in process", Binaries: "with real binaries", Containers: "in containers"}[mode]))
		}
	}
	for _, plane := range Planes {
		if !planes()[plane] {
			lines = append(lines, fmt.Sprintf("e2e: not shown in plane %s, but for what compares the planes (E2E_PLANES=%s shows it)", plane, plane))
		}
	}
	return strings.Join(lines, "\n")
}
