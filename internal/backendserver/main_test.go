package backendserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func env(pairs ...string) func(string) string {
	vars := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return vars[name] }
}

func TestHelpDocumentsSettingsAndFaultLab(t *testing.T) {
	for _, arg := range []string{"-h", "-help", "--help"} {
		var stdout, stderr buffer
		require.Equal(t, 0, Main([]string{arg}, env(), &stdout, &stderr))
		requireGolden(t, "help.golden", stdout.String())
		require.Empty(t, stderr.String())
	}
}

func TestVersionNamesProgramGoAndPlatform(t *testing.T) {
	var stdout, stderr buffer
	require.Equal(t, 0, Main([]string{"version"}, env(), &stdout, &stderr))
	require.Regexp(t, `^backend_server \S+ go1\.\S+ [a-z0-9]+/[a-z0-9]+\n$`, stdout.String())
	require.Empty(t, stderr.String())
}

func TestAllConfigurationProblemsAreToldAndNothingStarts(t *testing.T) {
	var stdout, stderr buffer
	code := Main([]string{"-listen", "nonsense", "-nosuch", "version"},
		env("BACKEND_FAULTS", "yes", "SHUTDOWN_TIMEOUT", "0s"), &stdout, &stderr)
	require.Equal(t, 2, code)
	lines := strings.Split(stderr.String(), "\n")
	require.Len(t, lines, 6, "one line each: %q", lines)
	for i, want := range []string{ // the wording is config's
		`command line: .*-nosuch`, `command line: "version"`, `listen: flag -listen: "nonsense": `,
		`faults: environment variable BACKEND_FAULTS: "yes": `, `shutdown_timeout: environment variable SHUTDOWN_TIMEOUT: "0s": `, ``,
	} {
		require.Regexp(t, "^"+want, lines[i])
	}
	require.Empty(t, stdout.String())
}

func TestAddressThatCannotBeBoundIsOneLineAndExitOne(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	address := taken.Addr().String()
	var stdout, stderr buffer
	require.Equal(t, 1, Main([]string{"-listen", address}, env(), &stdout, &stderr))
	require.Equal(t, fmt.Sprintf("backend_server: cannot bind the listen address: listen tcp %s: bind: address already in use\n", address), stderr.String())
	require.Empty(t, stdout.String())
}

func TestIdentityKeepsTheAddressAsGiven(t *testing.T) {
	for _, c := range []struct {
		given string
		port  int
		want  string
	}{
		{":8081", 8081, ":8081"},
		{"localhost:8081", 8081, "localhost:8081"},
		{":0", 40001, ":40001"},
		{"127.0.0.1:0", 40001, "127.0.0.1:40001"},
		{"[::1]:0", 40001, "[::1]:40001"},
	} {
		id := identify(c.given, c.port)
		require.Equal(t, c.want, id.Listen)
		require.Equal(t, fmt.Sprint(c.port), id.Name)
	}
	hostname, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, hostname, identify(":1", 1).Hostname)
}

var firstLine = regexp.MustCompile(`^🚀 starting backend server on (127\.0\.0\.1:(\d+)) \(reporting as (\d+)\)\n$`)

// running is a run of the program inside the test.
type running struct {
	address string
	signals chan os.Signal
	stderr  *buffer
	exit    chan int
}

func launch(t *testing.T, vars ...string) *running {
	t.Helper()
	p := &running{signals: make(chan os.Signal, 2), stderr: new(buffer), exit: make(chan int, 1)}
	out, stdout := io.Pipe()
	vars = append([]string{"BACKEND_LISTEN_ADDR", "127.0.0.1:0"}, vars...)
	go func() {
		p.exit <- run(nil, env(vars...), p.signals, stdout, p.stderr)
		stdout.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	match := firstLine.FindStringSubmatch(line)
	require.NotNil(t, match, line)
	require.Equal(t, match[2], match[3])
	p.address = match[1]
	return p
}

func (p *running) stop(t *testing.T, signals ...os.Signal) int {
	t.Helper()
	for _, sig := range signals {
		p.signals <- sig
	}
	select {
	case code := <-p.exit:
		return code
	case <-time.After(20 * time.Second):
		t.Fatal("the program did not end")
		return 0
	}
}

func TestFirstLineIsTrueOnceItIsPrinted(t *testing.T) {
	p := launch(t)
	resp, body := fetch(t, http.MethodGet, "http://"+p.address+"/health")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "OK\n", body)
	_, port, _ := net.SplitHostPort(p.address)
	require.Equal(t, port, resp.Header.Get("X-Backend"))
	require.Equal(t, 0, p.stop(t, syscall.SIGTERM))
	_, err := net.Dial("tcp", p.address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestFaultsAreOffUnlessSwitchedOn(t *testing.T) {
	p := launch(t)
	resp, _ := fetch(t, http.MethodGet, "http://"+p.address+"/?status=503")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 0, p.stop(t, os.Interrupt))

	p = launch(t, "BACKEND_FAULTS", "on")
	resp, _ = fetch(t, http.MethodGet, "http://"+p.address+"/?status=503")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, 0, p.stop(t, os.Interrupt))
}

func TestOptionsStarIsEchoed(t *testing.T) {
	p := launch(t)
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer conn.Close()
	send(t, conn, "OPTIONS * HTTP/1.1", "Host: x")
	resp, body := readResponse(t, conn, http.MethodOptions)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Regexp(t, `(?m)^  target +\*$`, body)
	require.Equal(t, 0, p.stop(t, syscall.SIGTERM))
}

// inFlight holds a request in the handler's hands: it waits for the body.
func (p *running) inFlight(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	send(t, conn, "POST / HTTP/1.1", "Host: h", "Expect: 100-continue", "Content-Length: 1")
	interim := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	_, err = io.ReadFull(conn, interim)
	require.NoError(t, err)
	return conn
}

func TestGracefulEndIsExitZero(t *testing.T) {
	p := launch(t)
	conn := p.inFlight(t)
	p.signals <- syscall.SIGTERM
	_, err := io.WriteString(conn, "x")
	require.NoError(t, err)
	resp, _ := readResponse(t, conn, http.MethodPost)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 0, p.stop(t))
	require.Regexp(t, `^time=\S+ level=INFO msg="shutting down" signal=terminated timeout=30s\n$`, p.stderr.String())
}

func TestCutEndIsExitOneAndSaysHowMany(t *testing.T) {
	p := launch(t, "SHUTDOWN_TIMEOUT", "20ms")
	p.inFlight(t)
	require.Equal(t, 1, p.stop(t, os.Interrupt))
	require.Regexp(t, `\nbackend_server: requests still in flight after 20ms: 1 connection cut\n$`, p.stderr.String())
}

func TestTwoSignalsAreExitOne(t *testing.T) {
	p := launch(t, "SHUTDOWN_TIMEOUT", "1h")
	p.inFlight(t)
	p.inFlight(t)
	require.Equal(t, 1, p.stop(t, os.Interrupt, os.Interrupt))
	require.Regexp(t, `\nbackend_server: second signal: 2 connections cut\n$`, p.stderr.String())
}
