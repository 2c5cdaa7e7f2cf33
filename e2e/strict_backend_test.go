package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// strictBackend reads requests as RFC 9112 writes them and no other way, with
// a parser that has nothing in common with the proxy's: whatever two backends
// could read differently is a violation here. It keeps every byte, and answers
// each request with its target.
type strictBackend struct {
	addr string

	mu         sync.Mutex
	busy       int // requests that have begun and not ended
	requests   []strictRequest
	violations []string
}

// strictRequest is a request as it came.
type strictRequest struct {
	raw            string // every byte
	method, target string
	fields         []strictField
	body           string
	trailers       []strictField
	whole          bool // it has ended by its own framing
}

type strictField struct{ name, value string }

func (r strictRequest) values(name string) []string {
	var values []string
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// isProbe is whether the proxy asks for itself.
func (r strictRequest) isProbe() bool {
	return r.target == "/health" && len(r.values("X-Forwarded-For")) == 0
}

func newStrictBackend(t testing.TB) *strictBackend {
	b := new(strictBackend)
	b.addr = testkit.Script(t, b.serve)
	return b
}

// take returns what has come since the last time, when nothing is under way.
func (b *strictBackend) take(t testing.TB) (requests []strictRequest, violations []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.busy > 0 {
			return false
		}
		requests, violations = b.requests, b.violations
		b.requests, b.violations = nil, nil
		return true
	}, stack.Patience, time.Millisecond, "the backend waits for the rest of a request")
	return requests, violations
}

// whole leaves out what nobody can take for a request: the beginnings of some
// that the proxy broke off.
func whole(requests []strictRequest) []strictRequest {
	var all []strictRequest
	for _, r := range requests {
		if r.whole {
			all = append(all, r)
		}
	}
	return all
}

func (b *strictBackend) serve(p *testkit.Peer) {
	in := &strictReader{}
	in.r = bufio.NewReader(p.R)
	for {
		_ = p.SetDeadline(time.Time{}) // a connection may be idle as long as the test goes on
		if _, err := in.r.Peek(1); err != nil {
			return
		}
		_ = p.SetDeadline(time.Now().Add(testkit.Patience))
		b.mu.Lock()
		b.busy++
		b.mu.Unlock()
		request, err := in.request(func() { p.Send("HTTP/1.1 100 Continue\r\n\r\n") })
		b.keep(request, err)
		if err != nil {
			if isViolation(err) {
				p.Send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			}
			return
		}
		body := request.target
		if request.method == "HEAD" {
			body = ""
		}
		p.Sendf("HTTP/1.1 200 OK\r\nX-Backend: strict\r\nContent-Length: %d\r\n\r\n%s", len(request.target), body)
	}
}

func (b *strictBackend) keep(request strictRequest, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy--
	if isViolation(err) {
		b.violations = append(b.violations, fmt.Sprintf("%v in %q", err, request.raw))
	}
	if !request.isProbe() {
		b.requests = append(b.requests, request)
	}
}

// violation is a request that could be read in more than one way.
type violation string

func (v violation) Error() string { return string(v) }

func isViolation(err error) bool {
	var v violation
	return errors.As(err, &v)
}

// The grammar of RFC 9110, 5 and RFC 9112, 3 to 7; of what they let a
// recipient tolerate, nothing.
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

var (
	requestLine = regexp.MustCompile(`^(` + token + `) ([\x21\x22\x24-\x7e]+) HTTP/1\.1$`)
	fieldLine   = regexp.MustCompile(`^(` + token + `):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$`)
	lengthValue = regexp.MustCompile(`^[0-9]{1,18}$`)
	chunkSize   = regexp.MustCompile(`^[0-9A-Fa-f]{1,15}$`)
)

// strictReader reads requests and keeps their bytes.
type strictReader struct {
	r   *bufio.Reader
	raw strings.Builder
}

// request reads one. wanted is called before a body that waits to be asked
// for.
func (in *strictReader) request(wanted func()) (request strictRequest, err error) {
	in.raw.Reset()
	defer func() { request.raw = in.raw.String() }()
	line, err := in.line()
	if err != nil {
		return request, err
	}
	parts := requestLine.FindStringSubmatch(line)
	if parts == nil {
		return request, violation("bad request line")
	}
	request.method, request.target = parts[1], parts[2]
	if request.fields, err = in.section(); err != nil {
		return request, err
	}
	length, chunked, err := request.framing()
	if err != nil {
		return request, err
	}
	if len(request.values("Expect")) > 0 {
		wanted()
	}
	if chunked {
		err = in.chunks(&request)
	} else {
		request.body, err = in.take(length)
	}
	request.whole = err == nil
	return request, err
}

// line is one without its CRLF, which is the only end that there is.
func (in *strictReader) line() (string, error) {
	line, err := in.r.ReadString('\n')
	in.raw.WriteString(line)
	if err != nil {
		return "", err
	}
	line, ended := strings.CutSuffix(line, "\r\n")
	if !ended || strings.ContainsAny(line, "\r\n\x00") {
		return "", violation("bare LF, bare CR or NUL")
	}
	return line, nil
}

// section is field lines up to the empty one.
func (in *strictReader) section() ([]strictField, error) {
	var fields []strictField
	for {
		line, err := in.line()
		if err != nil || line == "" {
			return fields, err
		}
		parts := fieldLine.FindStringSubmatch(line)
		if parts == nil {
			return fields, violation("bad field line")
		}
		fields = append(fields, strictField{parts[1], parts[2]})
	}
}

// framing is how the body ends (RFC 9112, 6.3), and that there is one host.
func (r strictRequest) framing() (length int, chunked bool, err error) {
	lengths, codings := r.values("Content-Length"), r.values("Transfer-Encoding")
	switch {
	case len(r.values("Host")) != 1:
		return 0, false, violation("not one Host")
	case len(lengths)+len(codings) > 1:
		return 0, false, violation("more than one length")
	case len(codings) == 1 && !strings.EqualFold(codings[0], "chunked"):
		return 0, false, violation("Transfer-Encoding is not chunked")
	case len(lengths) == 1 && !lengthValue.MatchString(lengths[0]):
		return 0, false, violation("Content-Length is no number")
	case len(lengths) == 1:
		length, err = strconv.Atoi(lengths[0])
		return length, false, err
	}
	return 0, len(codings) == 1, nil
}

func (in *strictReader) chunks(request *strictRequest) error {
	for {
		line, err := in.line()
		if err != nil {
			return err
		}
		if !chunkSize.MatchString(line) {
			return violation("bad chunk size, or an extension")
		}
		size, _ := strconv.ParseInt(line, 16, 64)
		if size == 0 {
			request.trailers, err = in.section()
			return err
		}
		data, err := in.take(int(size))
		request.body += data
		if err != nil {
			return err
		}
		if end, err := in.take(2); err != nil {
			return err
		} else if end != "\r\n" {
			return violation("chunk data has another length")
		}
	}
}

func (in *strictReader) take(n int) (string, error) {
	var data strings.Builder
	_, err := io.CopyN(&data, in.r, int64(n))
	in.raw.WriteString(data.String())
	return data.String(), err
}

// The parser is what the suite trusts, so it is tested itself.
func TestStrictBackendTakesNothingAmbiguous(t *testing.T) {
	const host = "Host: x\r\n"
	read := func(text string) (strictRequest, error) {
		in := &strictReader{r: bufio.NewReader(strings.NewReader(text))}
		return in.request(func() {})
	}
	for text, body := range map[string]string{
		"GET /a?b=%zz HTTP/1.1\r\n" + host + "A:\r\nB: \t c d \r\n\r\n":                                  "",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc":                                    "abc",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n": "abc",
	} {
		got, err := read(text)
		require.NoError(t, err, text)
		require.True(t, got.whole)
		require.Equal(t, body, got.body)
		require.Equal(t, text, got.raw)
	}
	for _, text := range []string{
		"GET / HTTP/1.1\n" + host + "\r\n", "GET / HTTP/1.0\r\n" + host + "\r\n", "GET  / HTTP/1.1\r\n" + host + "\r\n",
		"GET /#a HTTP/1.1\r\n" + host + "\r\n", "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + host + "\r\n", "GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n", "GET / HTTP/1.1\r\n" + host + " A: b\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "A: b\x00c\r\n\r\n", "GET / HTTP/1.1\r\n" + host + "A: b\rc\r\n\r\n", "GET / HTTP/1.1\r\n" + host + "A: b\x0bc\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "GET / HTTP/1.1\r\n" + host + "Content-Length: +0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0;a\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\n\r\n",
	} {
		got, err := read(text)
		require.True(t, isViolation(err), "%q: %v", text, err)
		require.False(t, got.whole)
	}
	for _, text := range []string{
		"GET / HTTP/1.1\r\n" + host, "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nab",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
	} {
		got, err := read(text)
		require.Error(t, err)
		require.False(t, isViolation(err), "broken off, not ambiguous: %q", text)
		require.False(t, got.whole)
	}
}
