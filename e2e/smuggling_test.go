package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// smuggled is the request that no reading of a payload may bring forth.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n"

// payload is what an attacker sends.
type payload struct {
	name string
	text string // /own stands for a target of its own
	// What must come of it: it is refused; or, unless must is set, the backend
	// sees one request, with this body and this target.
	must   bool
	body   string
	target string // "": /own, too
	// closes: the framing is faulty even where it can be read, so the
	// connection must end with the answer (RFC 9112, 6.1).
	closes bool
}

// post is a request with the fields, each with its line end, and the body.
func post(fields, body string) string {
	return "POST /own HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body
}

func get(fields string) string { return "GET /own HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" }

func length(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

const chunked = "Transfer-Encoding: chunked\r\n"

// lastChunk ends a body for those who read chunks, and nobody else.
const lastChunk = "0\r\n\r\n"

// twoFramings are bodies that end early for readers of chunks, and late for
// readers of lengths, or the other way round.
func twoFramings() []payload {
	const early = lastChunk + smuggled
	inChunk := fmt.Sprintf("%x\r\n%s\r\n%s", len(smuggled), smuggled, lastChunk)
	all := []payload{
		{name: "CL.TE", text: post(length(len(early))+chunked, early), closes: true},
		{name: "TE.CL", text: post(length(4)+chunked, inChunk), body: smuggled, closes: true},
		{name: "TE after a tab, CL", text: post("Transfer-Encoding:\tchunked\r\n"+length(len(early)), early), closes: true},
		{name: "TE in capitals, CL", text: post("TRANSFER-ENCODING: CHUNKED\r\n"+length(len(early)), early), closes: true},
		{name: "TE behind a bare LF", text: post("A: b\nTransfer-Encoding: chunked\r\n"+length(len(early)), early), closes: true},
		{name: "TE in HTTP 1.0, CL", text: "POST /own HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + chunked + length(len(early)) + "\r\n" + early,
			body: early, closes: true},
		{name: "TE in HTTP 1.0", text: "POST /own HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + chunked + "\r\n" + early, closes: true},
		// Other names, and names that are none: the length alone counts.
		{name: "TE with an underscore, CL", text: post("Transfer_Encoding: chunked\r\n"+length(len(early)), early), body: early},
		{name: "TE folded into another field, CL", text: post("A: b\r\n Transfer-Encoding: chunked\r\n"+length(len(early)), early), body: early},
	}
	for name, field := range map[string]string{
		"TE with a blank before the colon": "Transfer-Encoding : chunked\r\n",
		"TE with a tab before the colon":   "Transfer-Encoding\t: chunked\r\n",
		"TE with a line end in its name":   "Transfer-Encoding\r\n: chunked\r\n",
		"TE with NUL in its name":          "Transfer-Encoding\x00: chunked\r\n",
		"TE with 0x80 in its name":         "Transfer\x80-Encoding: chunked\r\n",
		"TE behind a bare CR":              "A: b\rTransfer-Encoding: chunked\r\n",
		"TE of xchunked":                   "Transfer-Encoding: xchunked\r\n",
		"TE in quotes":                     "Transfer-Encoding: \"chunked\"\r\n",
		"TE with a parameter":              "Transfer-Encoding: chunked;q=1\r\n",
		"TE with a vertical tab":           "Transfer-Encoding: \x0bchunked\r\n",
		"TE with a form feed":              "Transfer-Encoding: chunked\x0c\r\n",
		"TE with NUL in its value":         "Transfer-Encoding: chunked\x00\r\n",
		"TE with NBSP":                     "Transfer-Encoding: \xa0chunked\r\n",
		"TE with NEL":                      "Transfer-Encoding: \xc2\x85chunked\r\n",
		"TE of identity":                   "Transfer-Encoding: identity\r\n",
		"TE of chunked, identity":          "Transfer-Encoding: chunked, identity\r\n",
		"TE of identity, chunked":          "Transfer-Encoding: identity, chunked\r\n",
		"TE twice":                         chunked + chunked,
		"TE of chunked and of identity":    chunked + "Transfer-Encoding: identity\r\n",
		"TE of identity and of chunked":    "Transfer-Encoding: identity\r\n" + chunked,
		"TE of chunked, chunked":           "Transfer-Encoding: chunked, chunked\r\n",
		"TE of gzip, chunked":              "Transfer-Encoding: gzip, chunked\r\n",
		"TE of chunked, gzip":              "Transfer-Encoding: chunked, gzip\r\n",
		"TE of gzip":                       "Transfer-Encoding: gzip\r\n",
		"TE of nothing":                    "Transfer-Encoding:\r\n",
	} {
		all = append(all, payload{name: name, text: post(field+length(len(early)), early), must: true},
			payload{name: name + ", no CL", text: post(field, early), must: true})
	}
	// An empty element of a list says nothing (RFC 9110, 5.6.1).
	for name, field := range map[string]string{
		"TE of an empty element and chunked": "Transfer-Encoding: ,chunked\r\n",
		"TE of chunked and an empty element": "Transfer-Encoding: chunked,\r\n",
	} {
		all = append(all, payload{name: name, text: post(field, lastChunk)})
	}
	return all
}

// lengths that are none, or several.
func lengths() []payload {
	all := []payload{
		{name: "equal CL twice", text: post(length(4)+length(4), "abcd"), body: "abcd"},
		{name: "list of equal CL", text: post("Content-Length: 4, 4\r\n", "abcd"), body: "abcd"},
		{name: "CL with zeros in front", text: post("Content-Length: 0004\r\n", "abcd"), body: "abcd"},
		{name: "CL with an underscore in its name", text: post("Content_Length: 4\r\n", "")},
		{name: "CL folded into another field", text: get("A: b\r\n Content-Length: 40\r\n")},
		{name: "CL nominated by Connection", text: post("Connection: Content-Length\r\n"+length(4), "abcd"), body: "abcd"},
		{name: "TE nominated by Connection", text: post("Connection: Transfer-Encoding\r\n"+chunked, "4\r\nabcd\r\n"+lastChunk), body: "abcd"},
		{name: "Host nominated by Connection", text: get("Connection: Host\r\n")},
		{name: "X-Forwarded-For nominated by Connection", text: get("Connection: X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n")},
		{name: "request behind Connection: close", text: get("Connection: close\r\n") + smuggled, closes: true},
	}
	// A body where few have one is a body all the same (CL.0).
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "QUERY"} {
		all = append(all, payload{name: "CL.0 with " + method, body: smuggled,
			text: strings.Replace(post(length(len(smuggled)), smuggled), "POST", method, 1)})
	}
	for _, value := range []string{"+4", "-4", "0x4", "4 4", "4_0", "4abc", "", "4,", ",4", "\"4\"", "4.0", "\x0b4", "4\x00", "٤",
		"9223372036854775808", "18446744073709551620", "100000000000000000000000000000004"} {
		all = append(all, payload{name: fmt.Sprintf("CL of %+q", value), text: post("Content-Length: "+value+"\r\n", "abcd"+smuggled), must: true})
	}
	for name, fields := range map[string]string{
		"two CL, the shorter first":        length(4) + length(4+len(smuggled)),
		"two CL, the longer first":         length(4+len(smuggled)) + length(4),
		"two CL in a list":                 "Content-Length: 4, 5\r\n",
		"CL of a good and a bad one":       length(4) + "Content-Length: x\r\n",
		"CL with a blank before the colon": "Content-Length : 4\r\n",
		"CL with a blank in its name":      "Content Length: 4\r\n",
		"CL with NUL in its name":          "Content-Length\x00: 4\r\n",
		"CL with a CR in its name":         "Content-\rLength: 4\r\n",
		"CL behind a bare CR":              "A: b\rContent-Length: 4\r\n",
	} {
		all = append(all, payload{name: name, text: post(fields, "abcd"+smuggled), must: true})
	}
	return all
}

// expectations: the body is already there, and has its length all the same
// (0.CL).
func expectations() []payload {
	with := func(expect string) string { return post(expect+length(len(smuggled)), smuggled) }
	return []payload{
		{name: "0.CL with Expect", text: with("Expect: 100-continue\r\n"), body: smuggled},
		{name: "0.CL with Expect in capitals", text: with("EXPECT: 100-CONTINUE\r\n"), body: smuggled},
		{name: "0.CL with an unknown Expect", text: with("Expect: y 100-continue\r\n"), must: true},
		{name: "0.CL with two Expect", text: with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), must: true},
		{name: "0.CL with a list of Expect", text: with("Expect: 100-continue, x\r\n"), must: true},
		{name: "0.CL with a folded Expect", text: with("Expect:\r\n 100-continue\r\n"), body: smuggled},
		{name: "0.CL with Expect behind a fold", text: with("A: b\r\n\tExpect: 100-continue\r\n"), body: smuggled},
		{name: "0.CL with a GET and Expect", text: strings.Replace(with("Expect: 100-continue\r\n"), "POST", "GET", 1), body: smuggled},
		{name: "Expect without a body", text: get("Expect: 100-continue\r\n")},
	}
}

// chunks that are none.
func chunks() []payload {
	with := func(body string) string { return post(chunked, body) }
	all := []payload{
		{name: "chunk size with a blank behind it", text: with("4 \r\nabcd\r\n" + lastChunk), body: "abcd"},
		{name: "chunk size with zeros in front", text: with("000000004\r\nabcd\r\n" + lastChunk), body: "abcd"},
		{name: "chunk size in capitals", text: with("A\r\n0123456789\r\n" + lastChunk), body: "0123456789"},
		{name: "chunk extension", text: with("4;a=b\r\nabcd\r\n0;c\r\n\r\n"), body: "abcd"},
		{name: "chunk extension behind a blank", text: with("4 ;a=b\r\nabcd\r\n" + lastChunk), body: "abcd"},
		{name: "chunk extension in quotes", text: with("4;a=\";0\"\r\nabcd\r\n" + lastChunk), body: "abcd"},
		{name: "chunk that looks like a last one", text: with("5\r\n0\r\n\r\n\r\n" + lastChunk), body: "0\r\n\r\n"},
		{name: "chunk that is a request", text: with(fmt.Sprintf("%x\r\n%s\r\n%s", len(smuggled), smuggled, lastChunk)), body: smuggled},
		{name: "trailers that frame", text: with("4\r\nabcd\r\n0\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n"), body: "abcd"},
		{name: "trailer with a blank before its colon", text: with("4\r\nabcd\r\n0\r\nA : b\r\n\r\n"), body: "abcd"},
		{name: "trailers that forge", text: with("4\r\nabcd\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: evil\r\n\r\n"), body: "abcd"},
	}
	for name, body := range map[string]string{
		"chunk size with a sign":               "+4\r\nabcd\r\n" + lastChunk,
		"chunk size below zero":                "-4\r\nabcd\r\n" + lastChunk,
		"chunk size with a prefix":             "0x4\r\nabcd\r\n" + lastChunk,
		"chunk size with an underscore":        "0_4\r\nabcd\r\n" + lastChunk,
		"chunk size with a blank before it":    " 4\r\nabcd\r\n" + lastChunk,
		"chunk size with a blank in it":        "1 4\r\nabcd\r\n" + lastChunk,
		"chunk size that is no number":         "zz\r\nabcd\r\n" + lastChunk,
		"chunk size that is empty":             "\r\nabcd\r\n" + lastChunk,
		"chunk size above 2^64":                "10000000000000004\r\nabcd\r\n" + lastChunk,
		"chunk size above 2^63":                "8000000000000000\r\nabcd\r\n" + lastChunk,
		"chunk size with NUL":                  "4\x00\r\nabcd\r\n" + lastChunk,
		"chunk size with a vertical tab":       "4\x0b\r\nabcd\r\n" + lastChunk,
		"chunk size and a bare LF":             "4\nabcd\r\n" + lastChunk,
		"chunk size and a bare CR":             "4\rabcd\r\n" + lastChunk,
		"chunk size and two CR":                "4\r\r\nabcd\r\n" + lastChunk,
		"chunk extension and a bare LF":        "4;\nabcd\r\n" + lastChunk,
		"chunk extension with a bare CR":       "4;a\rb\r\nabcd\r\n" + lastChunk,
		"chunk extension with CR CR":           "4\r\r;a\r\nabcd\r\n" + lastChunk,
		"last chunk and a bare LF":             "4\r\nabcd\r\n0\n\r\n",
		"chunk longer than it says":            "4\r\nabcdef\r\n" + lastChunk,
		"chunk shorter than it says":           "6\r\nabcd\r\n" + lastChunk,
		"chunk data without an end":            "4\r\nabcd" + lastChunk,
		"chunk data and a bare LF":             "4\r\nabcd\n" + lastChunk,
		"chunk data and a bare CR":             "4\r\nabcd\r" + lastChunk,
		"chunk data and anything for its CRLF": "4\r\nabcdXX" + lastChunk,
		"chunk extension of 64 KiB":            "4;" + strings.Repeat("x", 64<<10) + "\r\nabcd\r\n" + lastChunk,
		"chunk extensions in a flood":          strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 1000) + lastChunk,
		"trailer without a colon":              "4\r\nabcd\r\n0\r\nA\r\n\r\n",
		"trailer with NUL":                     "4\r\nabcd\r\n0\r\nA: b\x00\r\n\r\n",
		"trailer with a bare CR":               "4\r\nabcd\r\n0\r\nA: b\rc\r\n\r\n",
		"trailers without end":                 "4\r\nabcd\r\n0\r\n" + strings.Repeat("A: b\r\n", 20000),
	} {
		all = append(all, payload{name: name, text: with(body + smuggled), must: true})
	}
	return all
}

// heads that break the grammar, or bend it.
func heads() []payload {
	const host = "Host: x\r\n"
	all := []payload{
		{name: "bare LF", text: "GET /own HTTP/1.1\nHost: x\nA: b\n\n"},
		{name: "empty lines in front", text: "\r\n\r\n" + get("")},
		{name: "folded line", text: get("A: b\r\n c\r\n\td\r\n")},
		{name: "underscore in a name", text: get("X_Forwarded_For: 6.6.6.6\r\n")},
		{name: "lower case method", text: "get /own HTTP/1.1\r\n" + host + "\r\n"},
		{name: "HTTP/1.2", text: "GET /own HTTP/1.2\r\n" + host + "\r\n"},
		{name: "absolute-form with another host", text: "GET http://evil/own HTTP/1.1\r\n" + host + "\r\n"},
		{name: "two slashes", text: "GET //evil/own HTTP/1.1\r\n" + host + "\r\n", target: "//evil/own"},
		{name: "h2c", text: get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")},
		{name: "h2c with a body", text: post("Connection: Upgrade\r\nUpgrade: h2c\r\n"+length(len(smuggled)), smuggled), body: smuggled},
		{name: "upgrade with a body", text: post("Connection: Upgrade\r\nUpgrade: websocket\r\n"+length(len(smuggled)), smuggled), body: smuggled},
	}
	for name, text := range map[string]string{
		"blank before a colon":         get("A : b\r\n"),
		"tab before a colon":           get("A\t: b\r\n"),
		"line without a colon":         get("A\r\n"),
		"empty name":                   get(": b\r\n"),
		"blank in a name":              get("A b: c\r\n"),
		"bracket in a name":            get("A(b): c\r\n"),
		"name that is not ASCII":       get("Ä: b\r\n"),
		"NUL in a name":                get("A\x00: b\r\n"),
		"control byte in a name":       get("A\x01: b\r\n"),
		"NUL in a value":               get("A: b\x00c\r\n"),
		"control byte in a value":      get("A: b\x01c\r\n"),
		"DEL in a value":               get("A: b\x7fc\r\n"),
		"bare CR in a value":           get("A: b\rc\r\n"),
		"bare CR for a line end":       get("A: b\rB: c\r\n"),
		"bare CR for the empty line":   "GET /own HTTP/1.1\r\nHost: x\r\r\n\r\n",
		"folded line at the start":     "GET /own HTTP/1.1\r\n A: b\r\nHost: x\r\n\r\n",
		"no host":                      "GET /own HTTP/1.1\r\n\r\n",
		"two hosts":                    get("Host: evil\r\n"),
		"host with a blank":            "GET /own HTTP/1.1\r\nHost: x evil\r\n\r\n",
		"host with a slash":            "GET /own HTTP/1.1\r\nHost: x/evil\r\n\r\n",
		"host with user information":   "GET /own HTTP/1.1\r\nHost: x@evil\r\n\r\n",
		"host with NUL":                "GET /own HTTP/1.1\r\nHost: x\x00evil\r\n\r\n",
		"blank in the target":          "GET /own x HTTP/1.1\r\n" + host + "\r\n",
		"control byte in the target":   "GET /own\x01 HTTP/1.1\r\n" + host + "\r\n",
		"NUL in the target":            "GET /own\x00 HTTP/1.1\r\n" + host + "\r\n",
		"bare CR in the target":        "GET /own\rx HTTP/1.1\r\n" + host + "\r\n",
		"# in the target":              "GET /own#x HTTP/1.1\r\n" + host + "\r\n",
		"target without a slash":       "GET own HTTP/1.1\r\n" + host + "\r\n",
		"target of user information":   "GET @evil/own HTTP/1.1\r\n" + host + "\r\n",
		"target of an authority":       "GET evil:80 HTTP/1.1\r\n" + host + "\r\n",
		"* without OPTIONS":            "GET * HTTP/1.1\r\n" + host + "\r\n",
		"absolute-form with a user":    "GET http://u:p@evil/own HTTP/1.1\r\n" + host + "\r\n",
		"absolute-form without host":   "GET http:///own HTTP/1.1\r\n" + host + "\r\n",
		"absolute-form of FTP":         "GET ftp://evil/own HTTP/1.1\r\n" + host + "\r\n",
		"two blanks in the first line": "GET  /own HTTP/1.1\r\n" + host + "\r\n",
		"blank before the method":      " GET /own HTTP/1.1\r\n" + host + "\r\n",
		"blank behind the version":     "GET /own HTTP/1.1 \r\n" + host + "\r\n",
		"tabs in the first line":       "GET\t/own\tHTTP/1.1\r\n" + host + "\r\n",
		"bracket in the method":        "G(T /own HTTP/1.1\r\n" + host + "\r\n",
		"NUL in the method":            "G\x00T /own HTTP/1.1\r\n" + host + "\r\n",
		"no method":                    " /own HTTP/1.1\r\n" + host + "\r\n",
		"HTTP/0.9":                     "GET /own\r\n\r\n",
		"HTTP/2.0":                     "GET /own HTTP/2.0\r\n" + host + "\r\n",
		"HTTP/1.10":                    "GET /own HTTP/1.10\r\n" + host + "\r\n",
		"HTTP/1.":                      "GET /own HTTP/1.\r\n" + host + "\r\n",
		"HTTP/+1.1":                    "GET /own HTTP/+1.1\r\n" + host + "\r\n",
		"version in lower case":        "GET /own http/1.1\r\n" + host + "\r\n",
		"CONNECT":                      "CONNECT evil:443 HTTP/1.1\r\n" + host + "\r\n",
		"CONNECT with a path":          "CONNECT /own HTTP/1.1\r\n" + host + "\r\n",
		"preface of HTTP/2":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"PRI as a method":              "PRI * HTTP/1.1\r\n" + host + "\r\n",
		"TLS handshake":                "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		all = append(all, payload{name: name, text: text + smuggled, must: true})
	}
	return all
}

// Each payload is refused, or a backend that reads strictly sees exactly one
// request of it; and nobody's answer is another's.
func TestSmugglingIsRefusedOrUnambiguous(t *testing.T) {
	var all []payload
	for _, family := range [][]payload{twoFramings(), lengths(), expectations(), chunks(), heads()} {
		all = append(all, family...)
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		b := newStrictBackend(t)
		// Short, so that a payload that is taken for the start of more ends.
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("CLIENT_BODY_TIMEOUT", "1s"), stack.With("HEALTH_CHECK_INTERVAL", never))
		for i, p := range all {
			t.Run(p.name, func(t *testing.T) {
				own := fmt.Sprintf("/own-%d", i)
				p.text = strings.ReplaceAll(p.text, "/own", own)
				p.target = strings.ReplaceAll(p.target, "/own", own)
				if p.target == "" {
					p.target = own
				}
				conversation := converse(t, s, p)
				fence := s.Get("/fence")
				requests, violations := b.take(t)
				promise(t, func(t testing.TB) {
					require.Empty(t, violations)
					require.Equal(t, "/fence", fence.Text, "a client that has done nothing")
					conversation.check(t, p)
					checkReceived(t, b, p, requests, conversation)
				})
			})
		}
		require.Zero(t, s.Changes(s.Peer(b.addr), "down"), "nobody blames the backend")
		require.NotContains(t, s.Proxy.Log(), "attempt failed")
	})
}

// conversation is what a client that sends a payload, and then an honest
// request, gets.
type conversation struct {
	status int    // of the first answer; 0: none came
	first  string // its body
	own    bool   // it comes from the proxy itself
	rest   string // all that came behind it
	end    error  // of the connection
}

func converse(t testing.TB, s *stack.Stack, p payload) conversation {
	client := s.Dial()
	client.Send(p.text)
	method := "GET"
	if strings.HasPrefix(p.text, "HEAD ") {
		method = "HEAD"
	}
	response, body := firstAnswer(t, client, method)
	if response == nil {
		return conversation{}
	}
	client.Send("GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	rest, end := client.Rest()
	return conversation{response.StatusCode, body, response.Header.Get("X-Backend") == "", rest, end}
}

// firstAnswer leaves out 1xx responses.
func firstAnswer(t testing.TB, client *testkit.Peer, method string) (*http.Response, string) {
	for {
		if _, err := client.R.Peek(1); err != nil {
			return nil, ""
		}
		response, body := client.Response(method)
		if response.StatusCode >= 200 {
			return response, body
		}
	}
}

func (c conversation) check(t testing.TB, p payload) {
	t.Helper()
	requireEnded(t, c.end)
	switch {
	case c.status == 0:
		require.Fail(t, "no answer")
	case c.own:
		require.Contains(t, []int{400, 405, 408, 411, 413, 417, 431, 501, 505}, c.status)
		require.Empty(t, c.rest, "nothing is read behind a refused request")
	default:
		require.False(t, p.must, "this must be refused, and is answered %d", c.status)
		require.Equal(t, 200, c.status)
		if !strings.HasPrefix(p.text, "HEAD ") {
			require.Equal(t, p.target, c.first, "the answer is to the request")
		}
		if p.closes {
			require.Empty(t, c.rest, "the connection must end")
		}
		if c.rest != "" {
			require.Equal(t, 1, strings.Count(c.rest, "HTTP/1.1 "), c.rest)
			require.True(t, strings.HasSuffix(c.rest, "\r\n\r\n/next"), c.rest)
		}
	}
}

func checkReceived(t testing.TB, b *strictBackend, p payload, requests []strictRequest, c conversation) {
	t.Helper()
	var wanted []string
	if c.status != 0 && !c.own {
		wanted = append(wanted, p.target)
	}
	if c.rest != "" {
		wanted = append(wanted, "/next")
	}
	wanted = append(wanted, "/fence")
	var targets []string
	for _, r := range whole(requests) {
		targets = append(targets, r.target)
		require.Equal(t, []string{b.addr}, r.values("Host"))
		require.Equal(t, []string{"127.0.0.1"}, r.values("X-Forwarded-For"), "whatever the client says")
		require.Empty(t, r.values("Upgrade"))
		for _, trailer := range r.trailers {
			require.Fail(t, "no trailer of the payloads may pass", "%v", trailer)
		}
		if r.target == p.target {
			require.Equal(t, p.body, r.body)
		}
	}
	require.Equal(t, wanted, targets)
}

// What comes right behind a request to switch protocols that the backend does
// not follow is the next request, with all that the proxy does to one.
func TestBytesBehindAnUpgradeThatIsNotFollowedAreHTTP(t *testing.T) {
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		b := newStrictBackend(t)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never))
		client := s.Dial()
		client.Send(get("Connection: Upgrade\r\nUpgrade: websocket\r\n") +
			"GET /behind HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n" +
			"GET /bad HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n")
		for _, target := range []string{"/own", "/behind"} {
			_, body := client.Response("GET")
			require.Equal(t, target, body)
		}
		rest, err := client.Rest()
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(rest, "HTTP/1.1 400 "), rest)
		requests, violations := b.take(t)
		require.Empty(t, violations)
		require.Len(t, requests, 2)
		require.Equal(t, []string{"127.0.0.1"}, requests[1].values("X-Forwarded-For"))
	})
}

// Path and query reach the backend byte for byte.
func TestTargetPassesByteForByte(t *testing.T) {
	targets := map[string]string{
		"blanks as plus":          "/a+b?c+d=e+f",
		"encoded slashes":         "/a%2Fb/%2e%2e/c",
		"empty segments":          "/a//b///c/",
		"dot segments":            "/a/../b/./c",
		"two slashes":             "//a/b?c",
		"no value":                "/?a&b=&=c",
		"a semicolon":             "/?a=1;b=2",
		"a bad escape in a query": "/?a=%zz",
		"an empty query":          "/a?",
		"what no URI may hold":    "/a{b}|c^d`e\"f<g>\\h?{i}",
		"a bad escape":            "/a/%zz",
		"two slashes and a brace": "//a/{b}",
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		b := newStrictBackend(t)
		s := stack.New(t, mode, stack.WithBackends(0), stack.WithPeers(b.addr), stack.With("HEALTH_CHECK_INTERVAL", never))
		for name, target := range targets {
			t.Run(name, func(t *testing.T) {
				got := s.Raw("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				requests, violations := b.take(t)
				promise(t, func(t testing.TB) {
					require.Empty(t, violations)
					require.True(t, strings.HasPrefix(got, "HTTP/1.1 200 "), got)
					require.Len(t, requests, 1)
					require.Equal(t, target, requests[0].target)
				})
			})
		}
	})
}

// Nor may the body of a request that no backend gets.
func TestBodyThatNoBackendGetsIsNoRequest(t *testing.T) {
	bodies := map[string]string{
		"length": length(len(smuggled)) + "\r\n" + smuggled,
		"chunks": chunked + fmt.Sprintf("\r\n%x\r\n%s\r\n", len(smuggled), smuggled) + lastChunk,
	}
	stack.Run(t, stack.Loopback, func(t *testing.T, mode stack.Mode) {
		for cause, start := range map[string]func() *stack.Stack{
			"no_backend_alive": func() *stack.Stack {
				return stack.New(t, mode, stack.WithBackends(0), stack.WithPeers("127.0.0.1:1"), stack.With("HEALTH_CHECK_INTERVAL", never))
			},
			"overloaded": func() *stack.Stack {
				s := stack.New(t, mode, stack.WithBackends(1), stack.With("BACKEND_MAX_IN_FLIGHT", "1"), stack.With("HEALTH_CHECK_INTERVAL", never))
				inFlight(s, "GET", "/busy?fault=hang", "\r\n")
				return s
			},
		} {
			s := start()
			for name, body := range bodies {
				got := s.Raw("POST /" + name + " HTTP/1.1\r\nHost: x\r\n" + body + "GET /behind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				require.True(t, strings.HasPrefix(got, "HTTP/1.1 503 "), got)
				require.Equal(t, cause, awaitRecord(t, s, "/"+name)["cause"])
			}
			require.Equal(t, 503, s.Get("/last").StatusCode)
			awaitRecord(t, s, "/last")
			require.NotContains(t, s.Proxy.AccessLog(), "/smuggled")
		}
	})
}
