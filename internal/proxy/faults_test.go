package proxy_test

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
	"go-proxy/internal/testkit"
)

// says is a backend that reads a head and answers with the text.
func says(text string) func(*testkit.Peer) {
	return func(p *testkit.Peer) {
		p.Head()
		p.Send(text)
	}
}

func reset(p *testkit.Peer) {
	p.Head()
	p.Reset()
}

func hang(p *testkit.Peer) {
	p.Head()
	p.AwaitEnd()
}

func quick(c *config.Config) {
	c.Timeouts.Dial = 50 * time.Millisecond
	c.Timeouts.TLSHandshake = 50 * time.Millisecond
	c.Timeouts.ResponseHead = 50 * time.Millisecond
	c.Timeouts.BackendBody = 50 * time.Millisecond
}

// Faults of a backend before its response head: what the client gets, what the
// record says, and that the backend is down before the client can ask again.
func TestFaultsBeforeTheResponseHead(t *testing.T) {
	const longValue = "A: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
	for name, c := range map[string]struct {
		script func(*testkit.Peer)
		cause  hop.Cause
		status int
	}{
		"closed at once":          {func(p *testkit.Peer) {}, hop.ResetBeforeResponse, 502},
		"closed after the head":   {says(""), hop.ResetBeforeResponse, 502},
		"closed in the head":      {says("HTTP/1.1 200 OK\r\nA: b\r\n"), hop.ResetBeforeResponse, 502},
		"closed in a line":        {says("HTTP/1.1 200 OK\r\nContent-Le"), hop.BadResponse, 502},
		"reset":                   {reset, hop.ResetBeforeResponse, 502},
		"garbage":                 {says("garbage garbage\r\n\r\n"), hop.BadResponse, 502},
		"bad version":             {says("HTTP/9 200 OK\r\n\r\n"), hop.BadResponse, 502},
		"two digits":              {says("HTTP/1.1 20 OK\r\n\r\n"), hop.BadResponse, 502},
		"no number":               {says("HTTP/1.1 2x0 OK\r\n\r\n"), hop.BadResponse, 502},
		"below 100":               {says("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"two lengths":             {says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"), hop.BadResponse, 502},
		"bad length":              {says("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx"), hop.BadResponse, 502},
		"unknown coding":          {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"), hop.BadResponse, 502},
		"blank before colon":      {says("HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"no colon":                {says("HTTP/1.1 200 OK\r\nAb\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"NUL in a value":          {says("HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"bare CR in a value":      {says("HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"control in a value":      {says("HTTP/1.1 200 OK\r\nA: b\x01c\r\nContent-Length: 0\r\n\r\n"), hop.BadResponse, 502},
		"head without end":        {says("HTTP/1.1 200 OK\r\n" + strings.Repeat(longValue, 2000)), hop.BadResponse, 502},
		"101 nobody asked for":    {says("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), hop.BadResponse, 502},
		"1xx without end":         {says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 5000)), hop.BadResponse, 502},
		"no head in time":         {hang, hop.ResponseTimeout, 504},
		"half a head in time":     {func(p *testkit.Peer) { p.Head(); p.Send("HTTP/1.1 2"); p.AwaitEnd() }, hop.ResponseTimeout, 504},
		"1xx but no head in time": {func(p *testkit.Peer) { p.Head(); p.Send("HTTP/1.1 103 Early Hints\r\n\r\n"); p.AwaitEnd() }, hop.ResponseTimeout, 504},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{testkit.Script(t, c.script)}, quick)
			response, body := r.get("/")
			require.Equal(t, c.status, response.StatusCode)
			require.True(t, strings.HasSuffix(body, ": "+c.cause.String()+"\n"), body)
			r.failed(c.cause, c.status, true)
			change := <-r.changes
			require.Equal(t, pool.Down, change.To)
			require.True(t, strings.HasPrefix(change.Reason, c.cause.String()+": "), change.Reason)
			require.Equal(t, 1, strings.Count(r.log.String(), "attempt failed"), "one line")
		})
	}
}

func TestDialFaults(t *testing.T) {
	for name, c := range map[string]struct {
		url    string
		cause  hop.Cause
		status int
	}{
		"refused":                   {"http://127.0.0.1:1", hop.DialRefused, 502},
		"no such name":              {"http://name.invalid:80", hop.DialFailed, 502},
		"unreachable":               {"http://255.255.255.255:80", hop.DialFailed, 502},
		"timed out":                 {"http://" + fullListener(t), hop.DialTimeout, 504},
		"TLS to a plain backend":    {"https://" + testkit.Script(t, says("HTTP/1.1 400 Bad Request\r\n\r\n")), hop.TLSFailed, 502},
		"TLS handshake hangs":       {"https://" + testkit.Script(t, func(p *testkit.Peer) { p.AwaitEnd() }), hop.TLSFailed, 502},
		"TLS handshake broken off":  {"https://" + testkit.Script(t, func(p *testkit.Peer) { p.Take(1) }), hop.TLSFailed, 502},
		"certificate of a stranger": {tlsBackend(t, http.NotFound, stranger(t)), hop.TLSFailed, 502},
		"certificate of another":    {strings.Replace(tlsBackend(t, http.NotFound), "127.0.0.1", "localhost", 1), hop.TLSFailed, 502},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{c.url}, quick)
			response, _ := r.get("/")
			require.Equal(t, c.status, response.StatusCode)
			r.failed(c.cause, c.status, true)
			require.Equal(t, 1, strings.Count((<-r.changes).Reason, c.cause.String()), "said once")
		})
	}
}

// fullListener is an address whose queue of connections is full: connecting
// gets no answer.
func fullListener(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for range 3 {
		conn, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { conn.Close() })
	}
	return addr.String()
}

// A body that breaks off must never look complete.
func TestFaultsInTheResponseBody(t *testing.T) {
	delivered := make(chan bool)
	for name, c := range map[string]struct {
		script func(*testkit.Peer)
		cause  hop.Cause
	}{
		"short length":       {says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), hop.TruncatedByBackend},
		"no last chunk":      {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), hop.TruncatedByBackend},
		"in a chunk":         {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf"), hop.TruncatedByBackend},
		"bad chunk":          {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"), hop.TruncatedByBackend},
		"no CRLF after data": {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfx0\r\n\r\n"), hop.TruncatedByBackend},
		"hangs": {func(p *testkit.Peer) {
			p.Head()
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			p.AwaitEnd()
		}, hop.BackendBodyTimeout},
		"reset": {func(p *testkit.Peer) {
			p.Head()
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			<-delivered
			p.Reset()
		}, hop.TruncatedByBackend},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{testkit.Script(t, c.script)}, quick)
			p := r.dial()
			p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			head := p.Head()
			half := p.Take(len("half"))
			if name == "reset" {
				delivered <- true
			}
			rest, err := p.Rest()
			require.NoError(t, err, "a reset could destroy what came")
			require.NotContains(t, rest, "0\r\n\r\n", "a clean end")
			record := r.record()
			require.Equal(t, c.cause.String(), record.Cause.String())
			require.Equal(t, 200, record.Status)
			require.Contains(t, head, "200 OK")
			require.Contains(t, half+rest, "half", "what came is delivered")
			require.Equal(t, pool.Down, r.pool.Backends()[0].State(), "counted")
			require.NotContains(t, r.log.String(), "panic")
		})
	}
}

func TestNoneAliveIs503AtOnce(t *testing.T) {
	r := newRig(t, []string{"127.0.0.1:1", "127.0.0.1:2"})
	r.get("/")
	r.failed(hop.DialRefused, 502, true)
	r.get("/")
	r.failed(hop.DialRefused, 502, true)
	response, _ := r.get("/")
	require.Equal(t, 503, response.StatusCode)
	r.failed(hop.NoBackendAlive, 503, true)
}

func TestPassiveThresholdIsHonoured(t *testing.T) {
	r := newRig(t, []string{"127.0.0.1:1"}, func(c *config.Config) { c.Health.PassiveFall = 3 })
	for range 2 {
		r.get("/")
		r.failed(hop.DialRefused, 502, false)
	}
	r.get("/")
	r.failed(hop.DialRefused, 502, true)
}

// An HTTP/1.0 client knows no chunks: only a reset tells it that this is not
// all (RFC 9112, 8).
func TestBrokenBodyIsNoCleanEndForHTTP10(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"))})
	p := r.dial()
	p.Send("GET / HTTP/1.0\r\n\r\n")
	_, err := p.Rest()
	require.ErrorIs(t, err, syscall.ECONNRESET)
	r.failed(hop.TruncatedByBackend, 200, true)
}

// RFC 9112, 9.5: the backend refuses a large upload and closes while it is
// still being sent. That is an answer, not a failure.
func TestEarlyRefusalOfALargeUploadIsDelivered(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, says("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"))})
	upload := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1<<20)
	for range 50 {
		p := r.dial()
		go p.Send(upload)
		response, body := p.Response("POST")
		require.Equal(t, 413, response.StatusCode)
		require.Equal(t, "no", body)
		r.failed(hop.None, 413, false)
	}
}

// Repeated failures of one backend are one line: it went down.
func TestFailuresAreNotRepeatedInTheLog(t *testing.T) {
	release := make(chan bool)
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
		p.Head()
		<-release
		p.Reset()
	})})
	const clients = 20
	for range clients {
		r.dial().Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	require.Eventually(t, func() bool { return r.pool.Backends()[0].InFlight() == clients }, testkit.Patience, time.Millisecond)
	close(release)
	for range clients {
		require.Equal(t, hop.ResetBeforeResponse, r.record().Cause)
	}
	require.Len(t, r.changes, 1)
	require.NotContains(t, r.log.String(), "level=WARN")
}

// A backend that dies while the client pauses its upload is noticed at once.
func TestBackendThatDiesDuringAPausedUploadIsNoticed(t *testing.T) {
	for name, die := range map[string]func(*testkit.Peer){"closes": func(p *testkit.Peer) {}, "resets": (*testkit.Peer).Reset} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
				p.Head()
				p.Take(4)
				die(p)
			})}, func(c *config.Config) { c.Timeouts.ClientBody = time.Hour })
			got := r.raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
			require.True(t, strings.HasPrefix(got, "HTTP/1.1 502 "), got)
			require.Contains(t, got, "\r\nConnection: close\r\n")
			r.failed(hop.ResetBeforeResponse, 502, true)
		})
	}
}

// failsOn is a backend that fails the request for /fails and that alone.
func failsOn(t *testing.T) string {
	return testkit.Script(t, func(p *testkit.Peer) {
		switch head := p.Head(); {
		case strings.HasPrefix(head, "GET /fails "):
		case strings.Contains(head, "Upgrade: websocket"):
			p.Send(switches)
			p.AwaitEnd()
		default:
			p.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	})
}

// The threshold counts failures in a row.
func TestWhatABackendDoesWellEndsARowOfFailures(t *testing.T) {
	for name, well := range map[string]func(*rig){
		"an answer": func(r *rig) { r.get("/") },
		"a tunnel that fell silent": func(r *rig) {
			p := r.dial()
			p.Send(upgrade)
			p.AwaitEnd()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, []string{failsOn(t), failsOn(t)}, func(c *config.Config) {
				c.Health.PassiveFall = 2
				c.Timeouts.TunnelIdle = 10 * time.Millisecond
			})
			fail := func(blamed bool) {
				r.get("/fails")
				r.failed(hop.ResetBeforeResponse, 502, blamed)
			}
			for range 2 { // both backends, in turn
				fail(false)
			}
			for range 2 {
				well(r)
				r.record()
			}
			for range 2 {
				fail(false)
			}
			fail(true)
		})
	}
}

// What a backend did is no reason to end the connection of a client whose
// request has come whole.
func TestClientKeepsItsConnectionWhenABackendFails(t *testing.T) {
	r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) { p.Request() })})
	p := r.dial()
	p.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
	response, _ := p.Response("POST")
	require.Equal(t, 502, response.StatusCode)
	require.False(t, response.Close)
	r.failed(hop.ResetBeforeResponse, 502, true)
	r.pool.ObserveProbe(r.pool.Backends()[0], nil)
	p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	response, _ = p.Response("GET")
	require.Equal(t, 502, response.StatusCode)
	r.failed(hop.ResetBeforeResponse, 502, true)
}
