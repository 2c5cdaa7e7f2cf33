package e2e

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// runOfSuite is a run of this suite that shows one test in one mode.
func runOfSuite(t *testing.T, mode stack.Mode, test string, env ...string) *launched {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), "E2E_MODES="+string(mode), "E2E_SHARED=", "GORACE=atexit_sleep_ms=0")
	return launch(t, cmd, env...)
}

func TestWithoutDockerTheSuiteSaysSoInOneSentence(t *testing.T) {
	run := runOfSuite(t, stack.Containers, "TestSoak", "DOCKER_HOST=tcp://127.0.0.1:1")
	require.Equal(t, 1, run.exit())
	require.Empty(t, run.stdout.String())
	require.Regexp(t, `^e2e: the container mode needs a Docker engine, and none answers \(.*\)\n$`, run.stderr.String())
}

// What crashed runs have left goes with the next one, and Ctrl-C leaves nothing.
func TestSuiteRemovesWhatItMadeHoweverItEnds(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Containers}, func(t *testing.T, mode stack.Mode) {
		const crashed = 1 << 30 // above any process number (Linux; proc_sys_kernel(5))
		stack.LeaveBehind(t, crashed)
		require.Len(t, made(t, crashed), 1)
		run := runOfSuite(t, mode, "TestSoak", "SOAK=10m")
		run.stdout.Await(t, `round 1: `)
		require.Empty(t, made(t, crashed))
		require.Len(t, made(t, run.cmd.Process.Pid), 5, "three backends, a proxy and their network")
		run.signal(syscall.SIGINT)
		require.Equal(t, 130, run.exit())
		require.Empty(t, made(t, run.cmd.Process.Pid))
	})
}

// However the suite ends, the programs that it has started do, too.
func TestProgramsEndWithTheSuite(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process that its parent has ended")
	}
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		run := runOfSuite(t, mode, "TestManyRestartsOfABackendDoNotReachTheOthers")
		pid := run.cmd.Process.Pid
		require.Eventually(t, func() bool { return len(stack.Group(pid)) >= 5 }, stack.Patience, time.Millisecond,
			"it is the suite, three backends and a proxy")
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL)) // and not its group
		require.Eventually(t, func() bool { return len(stack.Group(pid)) == 0 }, stack.Patience, time.Millisecond)
	})
}

func made(t *testing.T, pid int) []string {
	t.Helper()
	names, err := stack.Made(pid)
	require.NoError(t, err)
	return names
}
