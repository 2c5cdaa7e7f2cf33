package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// launched is a program that runs as a user would run it, in a process group
// of its own: a terminal's Ctrl-C reaches all that it starts.
type launched struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr stack.Output
	ended          chan struct{}
}

// launch starts the command with the environment, on top of what it has.
func launch(t *testing.T, cmd *exec.Cmd, env ...string) *launched {
	t.Helper()
	l := &launched{t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Env = append(cmd.Env, env...)
	if cmd.Stdout == nil {
		cmd.Stdout = &l.stdout
	}
	cmd.Stderr = &l.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	go func() {
		defer close(l.ended)
		_ = cmd.Wait() // until all that write to its outputs have ended
	}()
	t.Cleanup(func() {
		l.signal(syscall.SIGKILL)
		<-l.ended
		if t.Failed() {
			t.Logf("%s said:\n%s%s", cmd, &l.stdout, &l.stderr)
		}
	})
	return l
}

func (l *launched) signal(s syscall.Signal) { _ = syscall.Kill(-l.cmd.Process.Pid, s) }

// exit is the exit code, when the program has ended.
func (l *launched) exit() int {
	l.t.Helper()
	select {
	case <-l.ended:
		return l.cmd.ProcessState.ExitCode()
	case <-time.After(stack.Patience):
		require.FailNow(l.t, "still running")
		return 0
	}
}

// shipped is a program as it is shipped, with nothing in its environment.
func shipped(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := stack.Static()
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(dir, program), args...)
	cmd.Env = []string{}
	return cmd
}

// tool is a command of the toolchain, in a folder of the project.
func tool(folder, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Join("..", folder)
	cmd.Env = os.Environ()
	return cmd
}

// fetch asks a server for a path, without a stack.
func fetch(t *testing.T, addr, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	p := testkit.Dial(t, addr)
	p.Sendf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", path, addr, strings.Join(fields, ""))
	return p.Response("GET")
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	return string(text)
}

func TestProgramsUseTheStandardLibraryAndNothingElse(t *testing.T) {
	// With its profile go list would name every package after the program, too.
	cmd := tool(".", "go", "list", "-pgo=off", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/...")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for path := range strings.FieldsSeq(string(out)) {
		require.Regexp(t, `^go-proxy/(cmd|internal)/`, path)
	}
}

func TestVersionSaysWhatWasBuilt(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		for _, program := range []string{"reverse_proxy", "backend_server"} {
			got := stack.RunProgram(t, mode, program, nil, "version")
			require.Equal(t, 0, got.Code)
			require.Regexp(t, `^`+program+` \S.* `+regexp.QuoteMeta(runtime.Version())+` `+runtime.GOOS+`/`+runtime.GOARCH+`\n$`, got.Stdout)
			require.Empty(t, got.Stderr)
		}
	})
}

var settingsRow = regexp.MustCompile("(?m)^\\| (?:`([a-z._]+)`)? \\| `([A-Z_]+)` \\| `(-[a-z-]+)` \\| `([^`]+)` \\| (.*) \\|$")

// The README's table and the help are one table.
func TestHelpListsEverySetting(t *testing.T) {
	rows := settingsRow.FindAllStringSubmatch(readme(t), -1)
	require.Greater(t, len(rows), 30)
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		got := stack.RunProgram(t, mode, "reverse_proxy", nil, "-h")
		require.Equal(t, 0, got.Code)
		require.Empty(t, got.Stderr)
		for _, row := range rows {
			key, variable, flag, value, help := row[1], row[2], row[3], row[4], row[5]
			require.Regexp(t, fmt.Sprintf(`(?m)^ +%s +%s *%s\n +%s\n.*\(default: %s\)$`,
				flag, variable, regexp.QuoteMeta(key), regexp.QuoteMeta(help), regexp.QuoteMeta(value)), got.Stdout)
		}
		require.Equal(t, len(rows), strings.Count(got.Stdout, "(default: "), "and no other")
		got = stack.RunProgram(t, mode, "backend_server", nil, "-h")
		require.Equal(t, 0, got.Code)
		for _, explained := range []string{"BACKEND_LISTEN_ADDR", "BACKEND_FAULTS", "POST /faults/health", "state=down"} {
			require.Contains(t, got.Stdout, explained)
		}
	})
}

// nobodysAddress cannot be bound: it is set aside for documents (RFC 5737).
const nobodysAddress = "203.0.113.7:9000"

// The proxy's own are shown by the tests of its lifecycle.
func TestSampleBackendHasTheSameExitCodes(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		got := stack.RunProgram(t, mode, "backend_server", map[string]string{"BACKEND_LISTEN_ADDR": nobodysAddress, "BACKEND_FAULTS": "perhaps"}, "-what")
		require.Equal(t, 2, got.Code, "and the address was not tried")
		require.Equal(t, 2, strings.Count(got.Stderr, "\n"), got.Stderr)
		got = stack.RunProgram(t, mode, "backend_server", map[string]string{"BACKEND_LISTEN_ADDR": nobodysAddress})
		require.Equal(t, 1, got.Code)
		require.Empty(t, got.Stdout)
		require.Contains(t, got.Stderr, nobodysAddress)
	})
}

func TestFlagWinsOverTheVariableThatOverTheFileAndThatOverTheDefault(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		const inFlag, inFile = "198.51.100.7:9000", "192.0.2.7:9000" // for documents, too
		file := stack.Files{"proxy.json": `{"listen": "` + inFile + `"}`}
		variables := map[string]string{"PROXY_LISTEN_ADDR": nobodysAddress, "PROXY_CONFIG": "proxy.json"}
		require.Contains(t, stack.RunProgramWith(t, mode, file, "reverse_proxy", variables, "-listen", inFlag).Stderr, "listen on "+inFlag+":")
		require.Contains(t, stack.RunProgramWith(t, mode, file, "reverse_proxy", variables).Stderr, "listen on "+nobodysAddress+":")
		delete(variables, "PROXY_LISTEN_ADDR")
		require.Contains(t, stack.RunProgramWith(t, mode, file, "reverse_proxy", variables).Stderr, "listen on "+inFile+":")
	})
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		addr := actor(t, repeats(""))
		p := launch(t, shipped(t, "reverse_proxy", "-listen=127.0.0.1:0"), "TARGET_BACKEND_URLS=http://"+addr)
		p.stderr.Await(t, `backends=1 health_interval=10s\n`)
		p.stderr.Await(t, `backend=http://`+addr+` probe=/health\n`)
	})
}

func TestGoRunWorksInTheFolderOfEachCommand(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		builds := "GOTMPDIR=" + t.TempDir() // which go run leaves behind when it is ended
		backend := launch(t, tool("cmd/backend_server", "go", "run", "main.go"), builds, "BACKEND_LISTEN_ADDR=127.0.0.1:0")
		port := backend.stdout.Await(t, `reporting as (\d+)`)
		proxy := launch(t, tool("cmd/reverse_proxy", "go", "run", "main.go"),
			builds, "PROXY_LISTEN_ADDR=127.0.0.1:0", "TARGET_BACKEND_URLS=http://127.0.0.1:"+port)
		response, _ := fetch(t, proxy.stderr.Await(t, `msg=ready address=(\S+)`), "/")
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, port, response.Header.Get("X-Backend"))
		for _, l := range []*launched{proxy, backend} {
			l.signal(syscall.SIGTERM) // to both: go run does not pass it on
			l.exit()
		}
		proxy.stderr.Await(t, `msg=stopped\n`)
	})
}

// What the README shows of make run: requests go to all three, and what is
// told to a backend is seen by the proxy. Ctrl-C ends all.
func TestMakeRunShowsTheProxyAtWork(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		addrs := freeAddresses(t, 4)
		run := launch(t, tool(".", "make", "run"), "PROXY_LISTEN_ADDR="+addrs[3], "DEV_BACKENDS="+strings.Join(addrs[:3], ","), "HEALTH_CHECK_INTERVAL=100ms")
		for _, addr := range addrs[:3] { // a request a second, so this takes three
			_, port, _ := net.SplitHostPort(addr)
			run.stdout.Await(t, `client +\| 200 OK from backend `+port+` in \S+\n`)
			run.stdout.Await(t, `proxy +\| time=\S+ client=\S+ method=GET path=/ status=200 .* backend=http://`+addr+` `)
		}
		sick := addrs[1]
		order := func(state string) {
			p := testkit.Dial(t, sick)
			p.Sendf("POST /faults/health?state=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", state)
			response, text := p.Response("POST")
			require.Equal(t, 200, response.StatusCode, text)
		}
		order("down")
		run.stdout.Await(t, `proxy +\| .*msg="backend is down" backend=http://`+sick+` from=up to=down reason="probe: status 503, want 200"\n`)
		order("up")
		run.stdout.Await(t, `proxy +\| .*msg="backend is up" backend=http://`+sick+` from=down to=up reason="probe succeeded"\n`)
		run.signal(syscall.SIGINT)
		run.exit() // with what code is make's to say
		require.Contains(t, run.stdout.String(), "dev      | stopping\n")
		for _, addr := range addrs {
			_, err := net.Dial("tcp", addr)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		}
	})
}

// freeAddresses are some that nobody listens on now.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// Clients that come while the first probes are under way wait for them, and
// are then served: there is no 503 at boot.
func TestFirstProbesComeBeforeTraffic(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		probed, release := make(chan bool, 1), make(chan bool)
		defer close(release)
		addr := testkit.Script(t, func(p *testkit.Peer) {
			for head := p.Head(); head != ""; head = p.Head() {
				if strings.HasPrefix(head, "GET /health ") {
					probed <- true
					<-release
				}
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		proxy := launch(t, shipped(t, "reverse_proxy"), "PROXY_LISTEN_ADDR=127.0.0.1:0", "TARGET_BACKEND_URLS=http://"+addr,
			"HEALTH_CHECK_INTERVAL=1h", "HEALTH_CHECK_TIMEOUT=1m")
		client := testkit.Dial(t, proxy.stderr.Await(t, `msg="starting reverse proxy" address=(\S+)`))
		client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-probed
		require.NotContains(t, proxy.stderr.String(), "msg=ready")
		release <- true
		response, _ := client.Response("GET")
		require.Equal(t, 200, response.StatusCode)
	})
}

// The first line of the sample backend, once the address is bound.
func TestSampleBackendSaysWhereItListens(t *testing.T) {
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		b := stack.New(t, mode, stack.WithBackends(1)).Backend(1)
		listen := "127.0.0.1:" + b.ID() // as it was told, with the port that 0 became
		if mode == stack.Containers {
			listen = ":8081"
		}
		require.Equal(t, "🚀 starting backend server on "+listen+" (reporting as "+b.ID()+")\n", b.Stdout())
	})
}

func TestSampleBackendEchoes(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1))
		b := s.Backend(1)
		text := s.Do("PUT", "/a%2Fb?c=d;e", strings.NewReader("body"), "X-Sent", "value")
		require.Equal(t, 200, text.StatusCode)
		require.Equal(t, "text/plain; charset=utf-8", text.Header.Get("Content-Type"))
		for name, value := range map[string]string{"method": "PUT", "target": "/a%2Fb?c=d;e", "path": "/a%2Fb", "query": "c=d;e", "X-Sent": "value",
			"remote address": `\S+:\d+`, "body received": "4 bytes", "body sha256": sha256Of("body"), "hostname": `\S+`, "reporting as": b.ID()} {
			require.Regexp(t, `(?m)^  `+name+` +`+strings.ReplaceAll(value, "?", `\?`)+`$`, text.Text)
		}
		answer := s.Do("PUT", "/a%2Fb?c=d;e", strings.NewReader("body"), "Accept", "application/json", "X-Sent", "value")
		require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		echo := parseEcho(t, answer.Text)
		require.Equal(t, []string{"PUT", "/a%2Fb?c=d;e", "/a%2Fb", "c=d;e"}, []string{echo.Method, echo.Target, echo.Path, echo.Query})
		require.Equal(t, []string{"value"}, echo.Headers["X-Sent"])
		var of struct {
			RemoteAddress string `json:"remote_address"`
			Backend       struct {
				Hostname  string
				Reporting string `json:"reporting_as"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(answer.Text), &of))
		require.Regexp(t, `^\S+:\d+$`, of.RemoteAddress)
		require.Equal(t, b.ID(), of.Backend.Reporting)
		require.NotEmpty(t, of.Backend.Hostname)
		health := s.Get("/health")
		require.Equal(t, 200, health.StatusCode)
		require.Equal(t, "OK\n", health.Text)
	})
}

// What strangers could do harm with is off until it is asked for.
func TestSampleBackendMisbehavesOnlyIfAsked(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		for setting, status := range map[string]int{"": 200, "off": 200, "on": 418} {
			b := launch(t, shipped(t, "backend_server"), "BACKEND_LISTEN_ADDR=127.0.0.1:0", "BACKEND_FAULTS="+setting)
			addr := "127.0.0.1:" + b.stdout.Await(t, `reporting as (\d+)`)
			response, _ := fetch(t, addr, "/?status=418")
			require.Equal(t, status, response.StatusCode, setting)
			b.signal(syscall.SIGTERM)
			require.Equal(t, 0, b.exit())
		}
	})
}
