package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// The two planes are one proxy: the same conversation has the same outcome in
// both, but for differences that are meant.

// outcome is what comes of a conversation, in the terms in which the planes
// must agree: order and case of field names are not among them.
type outcome struct {
	Client  []seen // the answers, and in the end the fate of the connection
	Backend []seen // the requests that came whole
}

// seen is a message as a peer reads it.
type seen struct {
	Line    string // status, or method and target
	Fields  string // by canonical name, the values of each in their order
	Framing string
	Body    string
	Trailer string
}

// differences are those that are meant, by a part of the name of the payload or
// the recording, with the reason: what http1 does, and what net/http does
// instead. Two more are taken out by fieldText: net/http leaves out the
// Content-Type and Content-Length of a 304, which may be there (RFC 9110, 8.6
// and 15.4.5); and says Content-Length: 0 for some methods that have no body,
// whether the client did or not (RFC 9110, 8.6).
var differences = []struct{ part, reason string }{
	{"CL.TE", "two framings: refused, where net/http takes the chunks and goes on (RFC 9112, 6.1)"},
	{"TE.CL", "the same"},
	{"TE after a tab, CL", "the same"},
	{"TE in capitals, CL", "the same"},
	{"TE behind a bare LF", "the same"},
	{"TE in HTTP 1.0", "faulty framing: refused, where net/http takes it for no body and closes (RFC 9112, 6.1)"},
	{"folded into", "obs-fold: refused, where net/http joins the lines (RFC 9112, 5.2)"},
	{"folded Expect", "the same"},
	{"behind a fold", "the same"},
	{"empty lines in front", "ignored, where net/http refuses (RFC 9112, 2.2)"},
	{"extension behind a blank", "the blank is passed over, where net/http refuses (RFC 9112, 7.1.1)"},
	{"pragma", "passed on as it is, where net/http adds Cache-Control: no-cache (RFC 9111, 5.4)"},
	{"refusal-without-close", "the body stays with the client, where net/http asks for it to keep the connection to the backend (RFC 9110, 10.1.1)"},
	{"trailer with a blank before its colon", "refused, where net/http drops the field (RFC 9112, 5.1)"},
}

func meant(name string) bool {
	if name == "folded line" {
		return true
	}
	for _, d := range differences {
		if strings.Contains(name, d.part) {
			return true
		}
	}
	return false
}

// conversationOf sends requests of the methods and reads all that comes, and
// what the backend got of it.
func conversationOf(t testing.TB, s *stack.Stack, b *strictBackend, text string, methods ...string) (o outcome) {
	client := s.Dial()
	client.Send(text)
	for n := 0; ; {
		method := "GET"
		if n < len(methods) {
			method = methods[n]
		}
		answer, ok := nextAnswer(client, method)
		if !ok {
			break
		}
		o.Client = append(o.Client, answer)
		if answer.Line == "refused" {
			break
		}
		if answer.Line[0] != '1' {
			n++
		}
	}
	requests, violations := b.take(t)
	require.Empty(t, violations)
	for _, r := range whole(requests) {
		o.Backend = append(o.Backend, seenAs(r))
	}
	return o
}

func seenAs(r strictRequest) seen {
	return seen{Line: r.method + " " + r.target, Body: r.body,
		Fields: fieldText(headerOf(r.fields), false), Trailer: fieldText(headerOf(r.trailers), false)}
}

func headerOf(fields []strictField) http.Header {
	h := make(http.Header)
	for _, f := range fields {
		h.Add(f.name, f.value)
	}
	return h
}

// nextAnswer is readAnswer for a client that may have been refused.
func nextAnswer(client *testkit.Peer, method string) (seen, bool) {
	a, ok := readAnswer(client.R, method)
	own := a.Line >= "4" && a.Line < "6" && !strings.Contains(a.Fields, "X-Backend: ")
	if own { // by net/http itself, or by a plane: said in other words
		return seen{Line: "refused"}, true
	}
	return a, ok
}

// lastOne ends the line of an answer that is the last of its connection.
const lastOne = ", closes"

// readAnswer reads one; where there is none, the conversation has ended.
func readAnswer(in *bufio.Reader, method string) (seen, bool) {
	if _, err := in.Peek(1); err != nil {
		return seen{}, false
	}
	request, _ := http.NewRequest(method, "http://x/", nil)
	response, err := http.ReadResponse(in, request)
	if err != nil {
		return seen{Line: "no response"}, false
	}
	body, err := io.ReadAll(response.Body)
	a := seen{Line: response.Status[:3], Body: string(body), Framing: fmt.Sprint(response.ContentLength, response.TransferEncoding)}
	if err != nil {
		a.Framing += " cut"
	}
	if response.StatusCode == 304 {
		a.Framing = ""
	}
	closing := response.Close
	response.Header.Del("Date")
	a.Fields, a.Trailer = fieldText(response.Header, response.StatusCode == 304), fieldText(response.Trailer, false)
	if closing {
		a.Line += lastOne
	}
	return a, true
}

func fieldText(h http.Header, notModified bool) string {
	if notModified {
		h.Del("Content-Type")
		h.Del("Content-Length")
	}
	if h.Get("Content-Length") == "0" {
		h.Del("Content-Length")
	}
	var lines []string
	for name, values := range h {
		if name != "Host" { // the backend's port
			lines = append(lines, fmt.Sprintf("%s: %q", name, values))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// twoPlanes are two proxies that differ in nothing else, each with a backend.
func twoPlanes(t *testing.T, backend func() *strictBackend) (stacks map[stack.Plane]*stack.Stack, backends map[stack.Plane]*strictBackend) {
	stacks, backends = make(map[stack.Plane]*stack.Stack), make(map[stack.Plane]*strictBackend)
	for _, plane := range stack.Planes {
		backends[plane] = backend()
		stacks[plane] = inPlane(t, plane, backends[plane].addr,
			stack.With("CLIENT_BODY_TIMEOUT", "500ms"), stack.With("CLIENT_IDLE_TIMEOUT", "300ms"), stack.With("CLIENT_HEAD_TIMEOUT", "300ms"))
	}
	return stacks, backends
}

// inPlane is a proxy in front of a backend that has nothing to do with health.
func inPlane(t *testing.T, plane stack.Plane, backend string, opts ...stack.Option) *stack.Stack {
	return stack.New(t, stack.InProcess, append(opts, stack.WithBackends(0), stack.WithPeers(backend), stack.With("PROXY_PLANE", string(plane)),
		stack.With("HEALTH_CHECK_INTERVAL", never), stack.With("HEALTH_PASSIVE_FALL", "1000"))...)
}

// Every payload of the smuggling tests, with an honest request behind it.
func TestPlanesAgreeOnWhatAttackersSend(t *testing.T) {
	stack.Needs(t, stack.InProcess)
	var all []payload
	for _, family := range [][]payload{twoFramings(), lengths(), expectations(), chunks(), heads()} {
		all = append(all, family...)
	}
	stacks, backends := twoPlanes(t, func() *strictBackend { return newStrictBackend(t) })
	for i, p := range all {
		t.Run(p.name, func(t *testing.T) {
			method, _, _ := strings.Cut(p.text, " ")
			text := strings.ReplaceAll(p.text, "/own", fmt.Sprintf("/own-%d", i)) + "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
			theirs := conversationOf(t, stacks[stack.NetHTTP], backends[stack.NetHTTP], text, method)
			ours := conversationOf(t, stacks[stack.HTTP1], backends[stack.HTTP1], text, method)
			if meant(p.name) {
				require.NotEqual(t, theirs, ours, "this is no difference any more")
				return
			}
			require.Equal(t, theirs, ours)
		})
	}
}

// Generated requests, all of them good, with answers of all kinds.
func TestPlanesAgreeOnGeneratedConversations(t *testing.T) {
	stack.Needs(t, stack.InProcess)
	const conversations = 300
	seed := stack.Seed(t)
	dice := rand.New(rand.NewPCG(seed, 1))
	answers := make(map[string]string)
	backend := func() *strictBackend {
		b := new(strictBackend)
		b.addr = testkit.Script(t, func(p *testkit.Peer) { b.answerFrom(p, answers) })
		return b
	}
	texts := make([]string, conversations)
	names := make([]string, conversations)
	methods := make([][]string, conversations)
	for i := range texts {
		texts[i], names[i], methods[i] = generate(dice, i, answers)
	}
	stacks, backends := twoPlanes(t, backend)
	for i, text := range texts {
		theirs := conversationOf(t, stacks[stack.NetHTTP], backends[stack.NetHTTP], text, methods[i]...)
		ours := conversationOf(t, stacks[stack.HTTP1], backends[stack.HTTP1], text, methods[i]...)
		require.Equal(t, theirs, ours, "%q, answered with %s", text, names[i])
	}
}

// answerFrom answers each request with the text for its target.
func (b *strictBackend) answerFrom(p *testkit.Peer, answers map[string]string) {
	proceed := func() { p.Send("HTTP/1.1 100 Continue\r\n\r\n") }
	b.each(p, proceed, func(request strictRequest) (goesOn bool) {
		answer, ok := answers[request.target]
		if !ok {
			answer = wellAnswered(request.target)
		}
		if request.method == "HEAD" {
			final := strings.LastIndex(answer, "HTTP/1.1 ") // behind the 1xx
			answer = answer[:final+strings.Index(answer[final:], "\r\n\r\n")+4]
		}
		p.Send(answer)
		return !strings.Contains(answer, "Connection: close") && !strings.HasPrefix(answer, "HTTP/1.0")
	})
}

// each reads requests and has them answered, while that goes on. wanted is
// called before a body that waits to be asked for.
func (b *strictBackend) each(p *testkit.Peer, wanted func(), answer func(strictRequest) (goesOn bool)) {
	in := &strictReader{r: bufio.NewReader(p.R)}
	for {
		_ = p.SetDeadline(time.Now().Add(testkit.Patience))
		if _, err := in.r.Peek(1); err != nil {
			return
		}
		b.mu.Lock()
		b.busy++
		b.mu.Unlock()
		request, err := in.request(wanted)
		b.keep(request, err)
		if err != nil || !answer(request) {
			return
		}
	}
}

func pick(dice *rand.Rand, choices ...string) string { return choices[dice.IntN(len(choices))] }

// generate makes a pipeline of requests, and puts what they are answered into
// answers.
func generate(dice *rand.Rand, i int, answers map[string]string) (text, name string, methods []string) {
	requests := 1 + dice.IntN(3)
	for n := range requests {
		target := fmt.Sprintf("/%d-%d%s", i, n, pick(dice, "", "?a=b", "/a//b", "?x=%zz", "/%2F;x", "?"))
		method := pick(dice, "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "REPORT")
		methods = append(methods, method)
		text += method + " " + pick(dice, "", "", "http://other") + target + " HTTP/1.1\r\nHost: x\r\n"
		for range dice.IntN(4) {
			text += pick(dice, "A: 1\r\n", "a: 2\r\n", "B:  c d \r\n", "Cookie: x=y\r\n", "TE: trailers\r\n", "Connection: A\r\n", "X-Forwarded-For: 6.6.6.6\r\n",
				"Keep-Alive: 5\r\n", "Empty:\r\n", "X-Real-IP: 1\r\n", "Accept-Encoding: gzip\r\n", "Connection: keep-alive\r\n", "X_under: 1\r\n")
		}
		if n == requests-1 && dice.IntN(20) > 0 { // the others end when they have been idle
			text += "Connection: close\r\n"
		}
		text += pick(dice, "\r\n", "\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nbody",
			chunked+"\r\n4\r\nbody\r\n0\r\n\r\n", chunked+"\r\n2;x\r\nbo\r\n2\r\ndy\r\n0\r\nT: 1\r\nHost: evil\r\n\r\n")
		var kind string
		answers[target], kind = generateAnswer(dice)
		name += kind + " "
	}
	return text, name, methods
}

func generateAnswer(dice *rand.Rand) (answer, kind string) {
	var b bytes.Buffer
	for range dice.IntN(3) {
		b.WriteString(pick(dice, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: 1\r\n\r\n"))
	}
	kind = pick(dice, "length", "length", "empty", "chunks", "trailers", "close", "204", "304", "a 304 with a length", "404", "broken")
	head := func(status string) {
		fmt.Fprintf(&b, "HTTP/1.1 %s\r\nX-Backend: generated\r\nContent-Type: text/plain\r\n", status)
		for range dice.IntN(4) {
			b.WriteString(pick(dice, "A: 1\r\n", "a: 2\r\n", "Set-Cookie: a=1\r\n", "Set-Cookie: b=2\r\n", "Keep-Alive: 1\r\n", "Upgrade: h2c\r\n", "Server: x\r\n"))
		}
		// Beside close it is a difference: TestFieldsNominatedWithCloseEndAtTheProxy.
		if kind != "close" && kind != "broken" {
			b.WriteString(pick(dice, "", "Connection: A\r\n"))
		}
	}
	switch kind {
	case "length":
		head("200 OK")
		b.WriteString("Content-Length: 5\r\n\r\nhello")
	case "empty":
		head("201 Created")
		b.WriteString("Content-Length: 0\r\n\r\n")
	case "chunks":
		head("200 OK")
		b.WriteString(chunked + "\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
	case "trailers":
		head("200 OK")
		b.WriteString(chunked + "Trailer: T\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\nHost: evil\r\n\r\n")
	case "close":
		head("200 OK")
		b.WriteString("Connection: close\r\n\r\nhello")
	case "204":
		head("204 No Content")
		b.WriteString("\r\n")
	case "304":
		head("304 Not Modified")
		b.WriteString("ETag: \"x\"\r\n\r\n")
	case "a 304 with a length":
		head("304 Not Modified")
		b.WriteString("Content-Length: 9\r\n\r\n")
	case "404":
		head("404 Not Found")
		b.WriteString("Content-Length: 2\r\n\r\nno")
	case "broken":
		head("200 OK")
		b.WriteString("Connection: close\r\nContent-Length: 9\r\n\r\nhel")
	}
	return b.String(), kind
}
