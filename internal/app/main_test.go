package app_test

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/testkit"
)

// The test binary is also the program, for tests that need a process.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_REVERSE_PROXY") == "1" {
		os.Exit(app.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func runMain(env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, err output
	code = app.Main(args, func(name string) string { return env[name] }, &out, &err)
	return code, out.String(), err.String()
}

func TestAllProblemsAreReportedAndNothingStarts(t *testing.T) {
	code, stdout, stderr := runMain(map[string]string{
		"TARGET_BACKEND_URLS":   "ftp://x",
		"HEALTH_CHECK_INTERVAL": "soon",
	}, "-log-level", "loud", "-what")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	require.Len(t, lines, 4, stderr)
	for _, name := range []string{"TARGET_BACKEND_URLS", "HEALTH_CHECK_INTERVAL", "-log-level", "-what"} {
		require.Contains(t, stderr, name)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, flag := range []string{"-h", "-help", "--help"} {
		code, stdout, stderr := runMain(nil, flag)
		require.Equal(t, 0, code)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "  -health-interval              HEALTH_CHECK_INTERVAL        health.interval\n")
	}
	code, stdout, _ := runMain(nil, "version")
	require.Equal(t, 0, code)
	require.Regexp(t, `^reverse_proxy \S+.* `+runtime.Version()+` linux/amd64\n$`, stdout)
}

func TestAddressThatCannotBeBound(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	code, stdout, stderr := runMain(map[string]string{"PROXY_LISTEN_ADDR": addr})
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `level=ERROR msg=stopped error="listen on `+addr+`: listen tcp `+addr+`: bind: address already in use"`)
}

// process runs the program as a process of its own.
func process(t *testing.T, env ...string) (*exec.Cmd, *output) {
	t.Helper()
	stderr := new(output)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "RUN_AS_REVERSE_PROXY=1", "PROXY_LISTEN_ADDR=127.0.0.1:0")...)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, stderr
}

func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String()+" ends in order", func(t *testing.T) {
			cmd, stderr := process(t, "TARGET_BACKEND_URLS="+newSample(t, "a").URL)
			stderr.await(t, "msg=ready")
			require.NoError(t, cmd.Process.Signal(signal))
			require.NoError(t, cmd.Wait(), "exit 0")
		})
	}
	t.Run("a second one ends at once", func(t *testing.T) {
		url, arrived, _ := held(t)
		cmd, stderr := process(t, "TARGET_BACKEND_URLS="+url, "SHUTDOWN_TIMEOUT=1h")
		addr := stderr.await(t, `msg=ready address=(\S+)`)
		testkit.Dial(t, addr).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-arrived
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		(&running{t: t, addr: addr}).refuses()
		begin := time.Now()
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.Error(t, cmd.Wait())
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
		require.Less(t, time.Since(begin), testkit.Patience)
		require.Contains(t, stderr.String(), "were cut: 1")
	})
}

// A reader of the access log that goes away must not take the proxy with it.
func TestClosedOutputDoesNotEndTheProxy(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stderr := new(output)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RUN_AS_REVERSE_PROXY=1", "PROXY_LISTEN_ADDR=127.0.0.1:0", "ACCESS_LOG_FLUSH=1ms",
		"TARGET_BACKEND_URLS="+newSample(t, "a").URL)
	cmd.Stdout, cmd.Stderr = write, stderr
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	write.Close()
	read.Close()
	r := &running{t: t, addr: stderr.await(t, `msg=ready address=(\S+)`)}
	for range 3 {
		status, _ := r.get("/")
		require.Equal(t, 200, status)
	}
	stderr.await(t, `msg="access log cannot be written" error="write \S+: broken pipe"`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	require.Contains(t, stderr.String(), `msg="access lines lost" lines=3`)
}
