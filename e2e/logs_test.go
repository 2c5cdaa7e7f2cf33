package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// The log says what the proxy is about to do, with whom, and when it takes
// traffic.
func TestStartIsLogged(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2), stack.With("HEALTH_CHECK_INTERVAL", "7s"))
		log := s.Proxy.Log()
		require.Regexp(t, `level=INFO msg="starting reverse proxy" address=\S+ backends=2 health_interval=7s\n`, log)
		for _, b := range s.Backends {
			require.Contains(t, log, "level=INFO msg=backend backend="+b.URL()+" probe=/health\n")
			require.Contains(t, log, `level=INFO msg="backend is up" backend=`+b.URL()+` from=unknown to=up reason="probe succeeded"`+"\n")
		}
		require.Regexp(t, `level=INFO msg=ready address=\S+\n$`, log, "the last thing before traffic")
	})
}

func TestEachChangeOfHealthIsOneLineWithTheReason(t *testing.T) {
	const up = `level=INFO msg="backend is up" from=%s to=up reason="probe succeeded"`
	const down = `level=WARN msg="backend is down" from=up to=down reason=%q`
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("HEALTH_CHECK_INTERVAL", "50ms"), stack.With("HEALTH_CHECK_TIMEOUT", "50ms"))
		b := s.Backend(1)
		for _, how := range []string{"down", "hang"} {
			b.Health(how)
			s.AwaitDown(b)
			for n := s.Changes(b, "up"); s.Changes(b, "up") == n; { // "up" may also be what was said before
				b.Health("up")
				s.AwaitUp(b)
			}
		}
		require.Equal(t, []string{
			fmt.Sprintf(up, "unknown"),
			fmt.Sprintf(down, "probe: status 503, want 200"), fmt.Sprintf(up, "down"),
			fmt.Sprintf(down, "no answer to the probe within 50ms"), fmt.Sprintf(up, "down"),
		}, changes(s, b))
	})
}

// changes are the lines about a backend's health, without what differs from
// run to run.
func changes(s *stack.Stack, b *stack.Backend) []string {
	var lines []string
	for line := range strings.Lines(s.Proxy.Log()) {
		if strings.Contains(line, ` msg="backend is `) && strings.Contains(line, " backend="+b.URL()+" ") {
			_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
			lines = append(lines, strings.Replace(line, "backend="+b.URL()+" ", "", 1))
		}
	}
	return lines
}

func TestDebugShowsEveryPickAndProbe(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		var probes atomic.Int64
		addr := testkit.Script(t, func(p *testkit.Peer) {
			for head := p.Head(); head != ""; head = p.Head() {
				if strings.HasPrefix(head, "GET /health ") {
					probes.Add(1)
				}
				p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(addr), stack.With("HEALTH_CHECK_INTERVAL", "50ms"))
		for i := range 20 {
			s.Get(fmt.Sprint("/", i, "?secret=1"))
		}
		for i := range 20 {
			s.Proxy.AwaitLog(fmt.Sprintf(`level=DEBUG msg=picked backend=http://%s client=127.0.0.1:\d+ method=GET path=/%d\n`, addr, i))
		}
		require.Equal(t, 20, strings.Count(s.Proxy.Log(), "msg=picked "))
		require.Eventually(t, func() bool {
			n := strings.Count(s.Proxy.Log(), "level=DEBUG msg=probed backend=http://"+addr+" ")
			return n > 5 && int64(n) == probes.Load() // between two probes
		}, stack.Patience, time.Millisecond)
	})
}

func TestInfoShowsNeitherPicksNorProbes(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("LOG_LEVEL", "info"), stack.With("HEALTH_CHECK_INTERVAL", "10ms"))
		for range 10 {
			s.Get("/")
		}
		s.Backend(1).Health("down") // some probes later
		s.AwaitDown(s.Backend(1))
		require.NotContains(t, s.Proxy.Log(), "level=DEBUG")
	})
}

// logLine is a line of the access log.
type logLine struct {
	Time, Client, Method, Path, Backend, Cause string
	Status, Received, Sent                     int
	MS                                         float64
	Attempts                                   []struct{ Backend, Outcome string }
}

func parseJSON(t *testing.T, line string) (l logLine) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&l), line)
	require.False(t, decoder.More(), "one object a line: %s", line)
	return l
}

var textLine = regexp.MustCompile(`^time=(\S+) client=(\S+) method=(\S+) path=(\S+) status=(\d+) received=(\d+) sent=(\d+) ` +
	`ms=(\d+\.\d{3}) backend=(\S+) attempts=(\w+)@(\S+) cause=(\S+)\n$`)

func parseText(t *testing.T, line string) (l logLine) {
	t.Helper()
	m := textLine.FindStringSubmatch(line)
	require.NotNil(t, m, line)
	l = logLine{Time: m[1], Client: m[2], Method: m[3], Path: m[4], Backend: m[9], Cause: strings.Trim(m[12], "-"),
		Attempts: []struct{ Backend, Outcome string }{{m[11], m[10]}}}
	for i, number := range []*int{&l.Status, &l.Received, &l.Sent} {
		*number, _ = strconv.Atoi(m[5+i]) // digits, as the pattern says
	}
	l.MS, _ = strconv.ParseFloat(m[8], 64)
	return l
}

// Every request ends in one line, under load and whatever becomes of it.
func TestAccessLogHasOneLineForEachRequest(t *testing.T) {
	const clients, each = 16, 25
	outcomes := []struct {
		query, cause, outcome string
		status, sent          int
	}{
		{"?size=10", "", "answered", 200, 10},
		{"?status=404&size=20", "", "answered", 404, 20},
		{"?chunked=on&size=100KiB", "", "answered", 200, 100 << 10},
		{"?fault=garbage", "bad_response", "bad_response", 502, len("502 Bad Gateway: bad_response\n")},
	}
	for format, parse := range map[string]func(*testing.T, string) logLine{"text": parseText, "json": parseJSON} {
		t.Run(format, func(t *testing.T) {
			stack.Run(t, map[string][]stack.Mode{"text": stack.Every, "json": stack.Loopback}[format], func(t *testing.T, mode stack.Mode) {
				s := stack.New(t, mode, stack.WithBackends(2), stack.With("LOG_FORMAT", format), stack.With("HEALTH_PASSIVE_FALL", "1000"))
				var all sync.WaitGroup
				for c := range clients {
					all.Go(func() {
						for r := range each {
							n := c*each + r
							if _, err := s.Try("POST", fmt.Sprintf("/%d%s", n, outcomes[n%len(outcomes)].query), strings.NewReader("body")); err != nil {
								t.Error(err)
							}
						}
					})
				}
				all.Wait()
				s.Proxy.AwaitLines(clients * each)
				lines := make(map[string]logLine)
				for line := range strings.Lines(s.Proxy.AccessLog()) {
					l := parse(t, line)
					require.NotContains(t, lines, l.Path, "twice")
					lines[l.Path] = l
				}
				require.Len(t, lines, clients*each)
				for n := range clients * each {
					l, want := lines[fmt.Sprint("/", n)], outcomes[n%len(outcomes)]
					require.Equal(t, []any{"POST", want.status, 4, want.sent, want.cause}, []any{l.Method, l.Status, l.Received, l.Sent, l.Cause}, "%+v", l)
					require.Len(t, l.Attempts, 1)
					require.Equal(t, want.outcome, l.Attempts[0].Outcome)
					require.Equal(t, l.Backend, l.Attempts[0].Backend)
					require.Contains(t, []string{s.Backend(1).URL(), s.Backend(2).URL()}, l.Backend)
					_, err := time.Parse(time.RFC3339, l.Time)
					require.NoError(t, err)
					require.NotZero(t, l.Client)
				}
			})
		})
	}
}

// LOG_FORMAT is for both logs.
func TestLogCanBeJSON(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("LOG_FORMAT", "json"))
		s.Get("/x")
		b := s.Backend(1)
		s.Proxy.AwaitLog(`"msg":"picked","backend":"` + b.URL() + `"`)
		b.Health("down")
		s.Proxy.AwaitLog(`"level":"WARN","msg":"backend is down","backend":"` + b.URL() + `","from":"up","to":"down","reason":"probe: status 503, want 200"}`)
		for line := range strings.Lines(s.Proxy.Log()) {
			if !strings.HasSuffix(line, "\n") {
				break // still being written
			}
			var l struct{ Time, Level, Msg string }
			require.NoError(t, json.Unmarshal([]byte(line), &l), line)
			require.NotEmpty(t, l.Msg)
		}
	})
}

func TestQueryStringsAppearOnlyWhenAskedFor(t *testing.T) {
	for setting, shown := range map[string]bool{"": false, "off": false, "on": true} {
		t.Run(setting, func(t *testing.T) {
			stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
				s := stack.New(t, mode, stack.WithBackends(1), stack.With("LOG_QUERY", setting))
				for i, query := range []string{"", "&status=500", "&fault=garbage", "&x=%zz"} { // the last means that the backend is marked down
					s.Do("GET", fmt.Sprint("/", i, "?token=confidential", query), nil, "Referer", "http://x/?confidential")
					record := s.Proxy.AwaitRecord(fmt.Sprint("/", i))
					if shown {
						require.Equal(t, logged("token=confidential"+query), record["query"])
					} else {
						require.NotContains(t, record, "query")
					}
				}
				require.Equal(t, shown, strings.Contains(s.Proxy.AccessLog(), "confidential"))
				require.NotContains(t, s.Proxy.Log(), "confidential")
			})
		})
	}
}

// Whatever is asked for, and whatever goes wrong.
func TestCredentialsAreNeverLogged(t *testing.T) {
	const password = "confidential"
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	fields := "Host: x\r\nAuthorization: Basic " + encoded + "\r\nProxy-Authorization: Basic " + encoded +
		"\r\nCookie: session=" + password + "\r\nX-Api-Key: " + password + "\r\nConnection: close\r\n"
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("LOG_QUERY", "on"), stack.With("HEALTH_PASSIVE_FALL", "1000"),
			stack.With("CLIENT_BODY_TIMEOUT", "50ms"))
		for _, request := range []string{
			"GET / HTTP/1.1\r\n" + fields + "\r\n",
			"GET /?fault=close HTTP/1.1\r\n" + fields + "\r\n",
			"GET /?fault=garbage HTTP/1.1\r\n" + fields + "\r\n",
			"GET /?status=401 HTTP/1.1\r\n" + fields + "\r\n",
			"GET http://user:" + password + "@x/userinfo HTTP/1.1\r\n" + fields + "\r\n",
			"GET https://user:" + password + "@x HTTP/1.1\r\n" + fields + "\r\n",
			"GET ftp://user:" + password + "@x/ HTTP/1.1\r\n" + fields + "\r\n",
			"GET user:" + password + "@x HTTP/1.1\r\n" + fields + "\r\n",
			"CONNECT user:" + password + "@x:80 HTTP/1.1\r\n" + fields + "\r\n",
			"OPTIONS http://user:" + password + "@x HTTP/1.1\r\n" + fields + "\r\n",
			"GET / HTTP/1.1\r\n" + fields + "Bad Name: " + password + "\r\n\r\n",
			"GET / HTTP/1.1\r\n" + fields + "X-Bad: " + password + "\x01\r\n\r\n",
			"GET / HTTP/1.1\r\n" + fields + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
			"POST / HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n" + password + "\r\n\r\n",
			"POST / HTTP/1.1\r\n" + fields + "Content-Length: 100\r\n\r\n" + password,
		} {
			answer := s.Raw(request)
			require.True(t, strings.HasPrefix(answer, "HTTP/1.1 "), answer)
		}
		require.Equal(t, "400", s.Proxy.AwaitRecord("/userinfo")["status"])
		s.Backend(1).Kill()
		s.Raw("GET /last HTTP/1.1\r\n" + fields + "\r\n")
		s.Proxy.AwaitRecord("/last")
		output := s.Proxy.Log() + s.Proxy.AccessLog()
		require.NotContains(t, output, password)
		require.NotContains(t, output, encoded)
	})
}

func TestAccessLogCanBeOff(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(1), stack.With("ACCESS_LOG", "off"))
		for range 10 {
			require.Equal(t, 200, s.Get("/").StatusCode)
		}
		s.Proxy.Signal(syscall.SIGTERM)
		require.Equal(t, 0, s.Proxy.Exit()) // and what was to be written is
		require.Empty(t, s.Proxy.AccessLog())
	})
}

// An output that takes nothing costs lines, which are counted where they are
// missing, and no request a wait.
func TestNoRequestWaitsForTheAccessLog(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		const requests = 2000 // of more bytes than a pipe and the buffer hold
		addr := actor(t, repeats("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		read, write, err := os.Pipe()
		require.NoError(t, err)
		defer read.Close()
		cmd := shipped(t, "reverse_proxy")
		cmd.Stdout = write
		p := launch(t, cmd, "PROXY_LISTEN_ADDR=127.0.0.1:0", "TARGET_BACKEND_URLS=http://"+addr,
			"HEALTH_CHECK_INTERVAL=1h", "ACCESS_LOG_BUFFER=4KiB", "ACCESS_LOG_FLUSH=1ms")
		write.Close()
		client := testkit.Dial(t, p.stderr.Await(t, `msg=ready address=(\S+)`))
		for range requests {
			client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			response, _ := client.Response("GET")
			require.Equal(t, 200, response.StatusCode)
		}
		client.Close()
		p.signal(syscall.SIGTERM)
		text, err := io.ReadAll(read)
		require.NoError(t, err)
		require.Equal(t, 0, p.exit(), p.stderr.String())
		lines, dropped := 0, 0
		for line := range strings.Lines(string(text)) {
			if n := drops(t, line); n > 0 {
				dropped += n
			} else {
				parseText(t, line)
				lines++
			}
		}
		require.Equal(t, requests, lines+dropped, "nothing is lost silently")
		require.Positive(t, dropped)
		require.Positive(t, lines)
	})
}

// drops is how many lines are missing by what this one reports; 0 if it is one
// about a request.
func drops(t *testing.T, line string) int {
	t.Helper()
	_, count, found := strings.Cut(line, " dropped=")
	if !found {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(count))
	require.NoError(t, err, line)
	return n
}
