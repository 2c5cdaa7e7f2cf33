package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tables of what goes wrong on the wire (RFC 9110, RFC 9112 and the faults
// published since), and the pure functions that must not let it through.

const maxLines = 128

var testRoute = &route{host: "backend:8080", prefix: "/base", from: &peer{addr: "192.0.2.1", proto: "http"}}

// asRequest is a request as the rest of this package takes it: its head, and
// whether its body ends within text.
func asRequest(text string) (h *requestHead, f fault, behind string) {
	h = new(requestHead)
	start := emptyLines([]byte(text))
	end, _ := sectionEnd([]byte(text), start)
	if end < 0 {
		return h, "no end", ""
	}
	return h, h.parse([]byte(text[start:end]), maxLines), text[end:]
}

// forwarded is the request as a backend gets it, or a fault. It is whole if the
// body is.
func forwarded(text string) (out string, f fault, whole bool) {
	h, f, behind := asRequest(text)
	if f != "" {
		return "", f, false
	}
	dst := h.appendTo(nil, testRoute)
	switch h.framing() {
	case byLength:
		n := min(h.length, int64(len(behind)))
		return string(append(dst, behind[:n]...)), "", n == h.length
	case byChunks:
		body, trailers, f, whole := dechunk([]byte(behind))
		dst = appendChunk(dst, body)
		if whole {
			dst = appendLastChunk(dst, trailers)
		}
		return string(dst), f, whole
	}
	return string(dst), "", true
}

// dechunk reads a whole chunked body with its trailers.
func dechunk(p []byte) (body []byte, trailers []field, f fault, whole bool) {
	var c chunks
	body, n, f := c.next(p)
	if f != "" || c.state != inTrailers {
		return body, nil, f, false
	}
	end, _ := sectionEnd(p[n:], 0)
	if end < 0 {
		return body, nil, "", false
	}
	trailers, f = appendTrailers(nil, p[n:n+end], maxLines)
	return body, trailers, f, f == ""
}

const line = "GET /own HTTP/1.1\r\nHost: x\r\n"

func posted(fields, body string) string {
	return "POST /own HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body
}

// badRequests are the rows of the first table that are refused, by the row.
var badRequests = map[string][]string{
	"CL and TE: chunked together": {
		posted("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), posted("TRANSFER-ENCODING:\tCHUNKED\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
		posted("A: b\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
	"TE twice, identity, unknown coding": {
		posted("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
		posted("Transfer-Encoding: identity\r\n", ""), posted("Transfer-Encoding: gzip\r\n", ""), posted("Transfer-Encoding: xchunked\r\n", ""), posted("Transfer-Encoding:\r\n", "")},
	"chunked not last": {posted("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", "0\r\n\r\n")},
	"chunked with what is not it around": {
		posted("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
		posted("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: chunked\f\r\n", "0\r\n\r\n"),
		posted("Transfer-Encoding: \xa0chunked\r\n", "0\r\n\r\n"), posted("Transfer-Encoding: \xc2\x85chunked\r\n", "0\r\n\r\n")},
	"space or tab before the colon": {line + "A : b\r\n\r\n", line + "A\t: b\r\n\r\n", posted("Content-Length : 4\r\n", "abcd"), posted("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
	"obs-fold": {line + "A: b\r\n c\r\n\r\n", line + "A: b\r\n\tContent-Length: 4\r\n\r\nabcd", "GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
		posted("Expect:\r\n 100-continue\r\n", "")},
	"TE in HTTP/1.0": {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	"two CL, list with different values": {posted("Content-Length: 4\r\nContent-Length: 5\r\n", "abcde"), posted("Content-Length: 4, 5\r\n", "abcde"),
		posted("Content-Length: 4, 4\r\n", "abcd")},
	"CL that is no length": {posted("Content-Length: +5\r\n", ""), posted("Content-Length: -5\r\n", ""), posted("Content-Length: 0x5\r\n", ""), posted("Content-Length: 5 5\r\n", ""),
		posted("Content-Length: 5_0\r\n", ""), posted("Content-Length: 5abc\r\n", ""), posted("Content-Length:\r\n", ""), posted("Content-Length: 9223372036854775808\r\n", ""),
		posted("Content-Length: 18446744073709551620\r\n", ""), posted("Content-Length: \"5\"\r\n", ""), posted("Content-Length: 5.0\r\n", ""), posted("Content-Length: \u0664\r\n", "")},
	"chunk size with sign, prefix, underscore, blank": {
		posted(chunkedField, "+4\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "-4\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "0x4\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "0_4\r\nabcd\r\n0\r\n\r\n"),
		posted(chunkedField, " 4\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "1 4\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, ";a\r\nabcd\r\n0\r\n\r\n"),
		posted(chunkedField, "8000000000000000\r\nabcd"), posted(chunkedField, "10000000000000004\r\nabcd"), posted(chunkedField, "00000000000000004\r\nabcd"), posted(chunkedField, "zz\r\n"),
		posted(chunkedField, "4\x00\r\nabcd"), posted(chunkedField, "4\v\r\nabcd")},
	"bare LF in size line or extension (TERM.EXT)": {posted(chunkedField, "4\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "4;\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "4;a\nb\r\nabcd\r\n0\r\n\r\n"),
		posted(chunkedField, "4\r\nabcd\r\n0\n\r\n")},
	"bare CR in extension (EXT.TERM), CR CR": {posted(chunkedField, "4;a\rb\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "4\r\r;a\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "4\r\r\nabcd\r\n"),
		posted(chunkedField, "4\rabcd\r\n0\r\n\r\n")},
	"data longer or shorter than the size (SPILL)": {posted(chunkedField, "4\r\nabcdef\r\n0\r\n\r\n"), posted(chunkedField, "6\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, "4\r\nabcd0\r\n\r\n"),
		posted(chunkedField, "4\r\nabcd\n0\r\n\r\n"), posted(chunkedField, "4\r\nabcd\r0\r\n\r\n"), posted(chunkedField, "4\r\nabcdXX0\r\n\r\n")},
	"extension floods":       {posted(chunkedField, "4;"+strings.Repeat("x", 64<<10)+"\r\nabcd\r\n0\r\n\r\n"), posted(chunkedField, strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 1000)+"0\r\n\r\n")},
	"endless trailers":       {posted(chunkedField, "0\r\n"+strings.Repeat("A: b\r\n", maxLines+1)+"\r\n")},
	"bad trailers":           {posted(chunkedField, "0\r\nA\r\n\r\n"), posted(chunkedField, "0\r\nA: b\x00\r\n\r\n"), posted(chunkedField, "0\r\nA: b\rc\r\n\r\n"), posted(chunkedField, "0\r\nA : b\r\n\r\n")},
	"bare CR, NUL in values": {line + "A: b\rc\r\n\r\n", line + "A: b\x00c\r\n\r\n", line + "A: b\x01\r\n\r\n", line + "A: b\x7f\r\n\r\n", line + "A: b\r\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n"},
	"invalid names": {line + ": b\r\n\r\n", line + "A b: c\r\n\r\n", line + "A(b): c\r\n\r\n", line + "\xc3\x84: b\r\n\r\n", line + "A\x00: b\r\n\r\n", line + "A\r\n\r\n",
		posted("Transfer\x80-Encoding: chunked\r\n", ""), posted("Transfer-Encoding\r\n: chunked\r\n", "")},
	"no Host, two Hosts, invalid Host": {"GET / HTTP/1.1\r\n\r\n", line + "Host: x\r\n\r\n", line + "hOST: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x@y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x?y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x#y\r\n\r\n", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"},
	"blank, CTL in the first line; garbage method": {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
		"GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", "G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n", " / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"},
	"HTTP/2.0, 1.10, 0.9, lower case": {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", "GET / HTTP/0.9\r\nHost: x\r\n\r\n", "GET /\r\n\r\n", "GET / http/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.\r\nHost: x\r\n\r\n", "GET / HTTP/+1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"},
}

const chunkedField = "Transfer-Encoding: chunked\r\n"

func TestAmbiguousRequestsAreRefused(t *testing.T) {
	for row, texts := range badRequests {
		t.Run(row, func(t *testing.T) {
			for _, text := range texts {
				out, f, whole := forwarded(text)
				require.NotEmpty(t, f, "%.200q became %.200q", text, out)
				require.False(t, whole)
			}
		})
	}
}

// goodRequests are rows that are forwarded as something that is read in one way.
var goodRequests = map[string]struct{ in, out string }{
	"equal CL twice":        {posted("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd"), "POST /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Content-Length: 4\r\n\r\nabcd"},
	"CL with zeros":         {posted("Content-Length: 0004\r\n", "abcd"), "POST /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Content-Length: 4\r\n\r\nabcd"},
	"GET with a body, CL.0": {line + "Content-Length: 5\r\n\r\nGET /", "GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Content-Length: 5\r\n\r\nGET /"},
	"chunks of any cut": {posted(chunkedField, "1\r\na\r\n000A;x=\"y\"\r\n0123456789\r\n2 \r\nbc\r\n0;z\r\n\r\n"),
		"POST /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Transfer-Encoding: chunked\r\n\r\nd\r\na0123456789bc\r\n0\r\n\r\n"},
	"trailers that frame, route or forge": {posted(chunkedField+"Trailer: Host, A\r\n", "0\r\nHost: evil\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\nX-Forwarded-For: 6.6.6.6\r\nA: b\r\n\r\n"),
		"POST /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"},
	"bare LF line ends":  {"GET / HTTP/1.1\nHost: x\nA: b\n\n", "GET /base/ HTTP/1.1\r\nHost: backend:8080\r\nA: b\r\n" + own + "\r\n"},
	"empty lines before": {"\r\n\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /base/ HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"underscores in names": {line + "Content_Length: 4\r\nTransfer_Encoding: chunked\r\n\r\n",
		"GET /base/own HTTP/1.1\r\nHost: backend:8080\r\nContent_Length: 4\r\nTransfer_Encoding: chunked\r\n" + own + "\r\n"},
	"absolute-form with another Host": {"GET http://x/a?b HTTP/1.1\r\nHost: evil\r\n\r\n", "GET /base/a?b HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"two slashes":                     {"GET //evil/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /base//evil/x HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"Upgrade: h2c":                    {line + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n", "GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"Upgrade: h2c, websocket": {line + "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n",
		"GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
	"Upgrade in HTTP/1.0": {"GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET /base/ HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"nominated: forwarding, Host, framing": {posted("Connection: X-Forwarded-For, x-forwarded-host, Host, Content-Length, A\r\nX-Forwarded-For: 6.6.6.6\r\nA: b\r\nContent-Length: 1\r\n", "z"),
		"POST /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "Content-Length: 1\r\n\r\nz"},
	"claims of strangers": {line + "X-FORWARDED-FOR: 1\r\nForwarded: 2\r\nX-Real-IP: 3\r\nX-Forwarded-Port: 4\r\nX-Forwarded-Proto: https\r\n\r\n",
		"GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"hop-by-hop fields": {line + "Keep-Alive: 1\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: gzip, trailers\r\nTrailer: A\r\nConnection: close\r\n\r\n",
		"GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n" + own + "TE: trailers\r\n\r\n"},
	"order, case and copies of fields": {line + "b: 1\r\nA:2\r\nB:  3 4 \t\r\nempty:\r\n\r\n", "GET /base/own HTTP/1.1\r\nHost: backend:8080\r\nb: 1\r\nA: 2\r\nB: 3 4\r\nempty: \r\n" + own + "\r\n"},
	"OPTIONS *":                        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
	"HTTP/1.0 without a host":          {"GET / HTTP/1.0\r\n\r\n", "GET /base/ HTTP/1.1\r\nHost: backend:8080\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\r\n"},
	"HTTP/1.2":                         {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET /base/ HTTP/1.1\r\nHost: backend:8080\r\n" + own + "\r\n"},
}

const own = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: x\r\nX-Forwarded-Proto: http\r\n"

func TestRequestIsForwardedWithOneMeaning(t *testing.T) {
	for row, c := range goodRequests {
		t.Run(row, func(t *testing.T) {
			out, f, whole := forwarded(c.in)
			require.Empty(t, f)
			require.True(t, whole)
			require.Equal(t, c.out, out)
			requireOneRequest(t, c.in, out)
		})
	}
}

// What a trusted proxy says is extended, and believed unless Connection names it.
func TestForwardingFieldsOfTrustedPeersAreExtended(t *testing.T) {
	r := *testRoute
	r.from = &peer{addr: "192.0.2.1", proto: "http", trusted: true}
	for in, want := range map[string]string{
		"X-Forwarded-For: a\r\nx-forwarded-for: b, c\r\nX-Forwarded-Host: h\r\nX-Forwarded-Proto: https\r\nForwarded: f\r\n": "Forwarded: f\r\n" +
			"X-Forwarded-For: a, b, c, 192.0.2.1\r\nX-Forwarded-Host: h\r\nX-Forwarded-Proto: https\r\n",
		"Connection: X-Forwarded-For, forwarded\r\nX-Forwarded-For: a\r\nForwarded: f\r\n": own,
		"": own,
	} {
		h, f, _ := asRequest(line + in + "\r\n")
		require.Empty(t, f)
		require.Equal(t, "GET /base/own HTTP/1.1\r\nHost: backend:8080\r\n"+want+"\r\n", string(h.appendTo(nil, &r)))
	}
}

// badResponses are the rows of the second table that are a 502.
var badResponses = map[string][]string{
	"no HTTP, bad version, bad status": {"220 x ESMTP\r\n\r\n", "x\r\n\r\n", "HTTP/9 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 20 x\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n",
		"HTTP/1.1 2x0 x\r\n\r\n", "HTTP/1.1  200 x\r\n\r\n", "HTTP/1.1 +20 x\r\n\r\n", "HTTP/1.1 200 x\x00\r\n\r\n", "HTTP/1.1 200\tx\r\n\r\n", "http/1.1 200 OK\r\n\r\n"},
	"CL invalid or two different": {ok200 + "Content-Length: 4\r\nContent-Length: 6\r\n\r\n", ok200 + "Content-Length: 4, 6\r\n\r\n", ok200 + "Content-Length: +6\r\n\r\n", ok200 + "Content-Length: -6\r\n\r\n",
		ok200 + "Content-Length: 9223372036854775808\r\n\r\n", ok200 + "Content-Length: 6x\r\n\r\n", ok200 + "Content-Length:\r\n\r\n"},
	"TE that is not one chunked": {ok200 + "Transfer-Encoding: gzip\r\n\r\n", ok200 + chunkedField + chunkedField + "\r\n", ok200 + "Transfer-Encoding: chunked, gzip\r\n\r\n", "HTTP/1.0 200 OK\r\n" + chunkedField + "\r\n"},
	"obs-fold, blank before colon, NUL, no colon": {ok200 + "A: b\r\n c\r\n\r\n", ok200 + "A : b\r\n\r\n", ok200 + "A: b\x00\r\n\r\n", ok200 + "A\r\n\r\n", ok200 + ": b\r\n\r\n", ok200 + "A b: c\r\n\r\n",
		ok200 + "A: b\rTransfer-Encoding: chunked\r\n\r\n"},
	"header section without end": {ok200 + strings.Repeat("A: b\r\n", maxLines+1) + "\r\n"},
}

const ok200 = "HTTP/1.1 200 OK\r\n"

func asResponse(text string) (*responseHead, fault) {
	h := new(responseHead)
	return h, h.parse([]byte(text), maxLines)
}

func TestMalformedResponsesAreRefused(t *testing.T) {
	for row, texts := range badResponses {
		t.Run(row, func(t *testing.T) {
			for _, text := range texts {
				_, f := asResponse(text)
				require.NotEmpty(t, f, "%.200q", text)
			}
		})
	}
}

func TestFramingOfResponses(t *testing.T) {
	const len4 = "Content-Length: 4\r\n"
	for _, c := range []struct {
		row, text, method  string
		minor              int
		from, to           framing
		head               string // of the answer
		reusable, endsWith bool
	}{
		{"length", ok200 + len4, "GET", 1, byLength, byLength, ok200 + date + len4, true, false},
		{"length of nothing", ok200 + "Content-Length: 0\r\n", "GET", 1, noBody, noBody, ok200 + date + "Content-Length: 0\r\n", true, false},
		{"chunked", ok200 + chunkedField + "Trailer: A, Host\r\n", "GET", 1, byChunks, byChunks, ok200 + date + "Trailer: A\r\n" + chunkedField, true, false},
		{"neither", ok200, "GET", 1, untilClose, byChunks, ok200 + date + chunkedField, true, false},
		{"CL and TE: TE, not reused", ok200 + len4 + chunkedField, "GET", 1, byChunks, byChunks, ok200 + date + chunkedField, false, false},
		{"chunked answer for an HTTP/1.0 client", ok200 + chunkedField, "GET", 0, byChunks, untilClose, "HTTP/1.0 200 OK\r\n" + date + "Connection: close\r\n", true, true},
		{"neither, HTTP/1.0 client", ok200, "GET", 0, untilClose, untilClose, "HTTP/1.0 200 OK\r\n" + date + "Connection: close\r\n", true, true},
		{"HTTP/1.0 backend", "HTTP/1.0 200 OK\r\n" + len4, "GET", 1, byLength, byLength, ok200 + date + len4, false, false},
		{"body on HEAD", ok200 + len4, "HEAD", 1, noBody, noBody, ok200 + date + len4, true, false},
		{"chunked on HEAD", ok200 + chunkedField, "HEAD", 1, noBody, noBody, ok200 + date, true, false},
		{"body on 204", "HTTP/1.1 204 No\r\n" + len4, "GET", 1, noBody, noBody, "HTTP/1.1 204 No\r\n" + date, true, false},
		{"body on 304", "HTTP/1.1 304 No\r\n" + len4, "GET", 1, noBody, noBody, "HTTP/1.1 304 No\r\n" + date + len4, true, false},
		{"close", ok200 + "Connection: x, Close\r\nX: 1\r\n" + len4, "GET", 1, byLength, byLength, ok200 + date + len4, false, false},
		{"hop-by-hop and nominated", ok200 + "Connection: A\r\nA: 1\r\nKeep-Alive: 1\r\nProxy-Authenticate: x\r\nTE: x\r\nUpgrade: h2c\r\nb: 2\r\n" + len4, "GET", 1, byLength, byLength,
			ok200 + "b: 2\r\n" + date + len4, true, false},
		{"no phrase, bare LF", "HTTP/1.1 299\nA: b\n", "GET", 1, untilClose, byChunks, "HTTP/1.1 299 \r\nA: b\r\n" + date + chunkedField, true, false},
		{"a date of its own", ok200 + "Date: then\r\n" + len4, "GET", 1, byLength, byLength, ok200 + "Date: then\r\n" + len4, true, false},
	} {
		t.Run(c.row, func(t *testing.T) {
			h, f := asResponse(c.text + "\r\n")
			require.Empty(t, f)
			require.Equal(t, c.from, h.framing([]byte(c.method)))
			a := h.answerTo(c.minor, []byte(c.method))
			a.date = []byte("now")
			require.Equal(t, c.to, a.framed)
			require.Equal(t, c.endsWith, a.closes)
			require.Equal(t, c.head+"\r\n", string(h.appendTo(nil, &a)))
			require.Equal(t, c.reusable, h.reusable())
		})
	}
}

const date = "Date: now\r\n"

func TestInterimResponseCarriesNoHopByHopFields(t *testing.T) {
	h, f := asResponse("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-N\r\nX-N: 1\r\nKeep-Alive: 5\r\nContent-Length: 4\r\n\r\n")
	require.Empty(t, f)
	require.Equal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", string(h.appendInterim(nil)))
}

func TestSwitchIsToWhatWasOffered(t *testing.T) {
	h, f := asResponse("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nA: b\r\n\r\n")
	require.Empty(t, f)
	require.True(t, h.switchesTo([]byte("h3, websocket")))
	require.False(t, h.switchesTo([]byte("other")))
	require.False(t, h.switchesTo(nil))
	require.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nA: b\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n", string(h.appendSwitch(nil)))
}

// However a head or a chunk is cut into reads, it means the same.
func TestPiecesMeanTheSame(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\nrest"
	for n := range len(head) {
		end, resume := sectionEnd([]byte(head[:n]), 0)
		if n < len(head)-len("rest") {
			require.Equal(t, -1, end, "%q", head[:n])
			end, _ = sectionEnd([]byte(head), resume)
		}
		require.Equal(t, len(head)-len("rest"), end)
	}
	const body = "4;a=b\r\nabcd\r\n00A \r\n0123456789\r\n0;c\r\nT: 1\r\n\r\n"
	for n := range len(body) {
		var c chunks
		first, used, f := c.next([]byte(body[:n]))
		require.Empty(t, f)
		got := string(first)
		second, used2, f := c.next([]byte(body[used:]))
		require.Empty(t, f)
		require.Equal(t, "abcd0123456789", got+string(second))
		require.Equal(t, "T: 1\r\n\r\n", body[used+used2:])
	}
}

// A chunk size at the limit is one, and no more is read than it says.
func TestLargestChunkSize(t *testing.T) {
	var c chunks
	_, _, f := c.next([]byte("7FFFFFFFFFFFFFFF\r\nab"))
	require.Empty(t, f)
	require.EqualValues(t, int64(1<<63-1-2), c.size)
}

func TestWireAllocatesNothing(t *testing.T) {
	in := []byte("GET /path?query HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: test\r\nAccept: */*\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n")
	out := []byte("HTTP/1.1 200 OK\r\nServer: x\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n")
	coding := []byte("4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n")
	dst, scratch := make([]byte, 0, 4096), make([]byte, len(coding))
	var request requestHead
	var response responseHead
	request.fields, response.fields = make([]field, 0, maxLines), make([]field, 0, maxLines)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if request.parse(in, maxLines) != "" || response.parse(out, maxLines) != "" {
			panic("refused")
		}
		a := response.answerTo(1, request.method)
		dst = request.appendTo(dst[:0], testRoute)
		dst = response.appendTo(dst, &a)
		var c chunks
		copy(scratch, coding)
		content, _, _ := c.next(scratch)
		dst = appendLastChunk(appendChunk(dst, content), nil)
	}))
}

// requireOneRequest requires net/http to read what is forwarded as exactly one
// request, with the meaning of the one received.
func requireOneRequest(t testing.TB, in, out string) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(out))
	got, err := http.ReadRequest(r)
	if !readableTarget(out) {
		return // a target that net/url does not take, though every byte of it is one
	}
	require.NoError(t, err, "%q became %q", in, out)
	body, err := io.ReadAll(got.Body)
	require.NoError(t, err, "%q became %q", in, out)
	_, err = r.Peek(1)
	require.Equal(t, io.EOF, err, "more than one request in %q", out)
	require.Equal(t, testRoute.host, got.Host)
	require.Equal(t, []string{testRoute.from.addr}, got.Header["X-Forwarded-For"])

	h, _, behind := asRequest(in)
	require.Equal(t, string(h.method), got.Method)
	want, _ := bodyOf(h, behind)
	require.Equal(t, want, string(body))
	require.Equal(t, wantedFields(h), headerOf(got.Header), "%q became %q", in, out)
}

func readableTarget(request string) bool {
	_, rest, _ := strings.Cut(request, " ")
	target, _, _ := strings.Cut(rest, " ")
	_, err := url.ParseRequestURI(target)
	return err == nil
}

func bodyOf(h *requestHead, behind string) (string, bool) {
	switch h.framing() {
	case byLength:
		return behind[:h.length], true
	case byChunks:
		body, _, _, whole := dechunk([]byte(behind))
		return string(body), whole
	}
	return "", true
}

// wantedFields are those that must reach the backend, by canonical name.
func wantedFields(h *requestHead) http.Header {
	want := make(http.Header)
	for i := range h.fields {
		if f := &h.fields[i]; h.passes(f, testRoute) {
			name := textproto.CanonicalMIMEHeaderKey(string(f.name))
			want[name] = append(want[name], string(f.value))
		}
	}
	return want
}

// headerOf leaves out what the proxy says itself, and framing.
func headerOf(h http.Header) http.Header {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Te", "Connection", "Upgrade", "Trailer", "Content-Length"} {
		delete(h, name)
	}
	return h
}

func FuzzRequestHead(f *testing.F) {
	for _, texts := range badRequests {
		for _, text := range texts {
			f.Add([]byte(text))
		}
	}
	for _, c := range goodRequests {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, fault, whole := forwarded(string(in))
		if fault != "" || !whole {
			return
		}
		h, _, _ := asRequest(string(in))
		for _, c := range h.target { // hop.Target refuses these
			if c <= ' ' || c == 0x7f || c == '#' {
				return
			}
		}
		requireOneRequest(t, string(in), out)
	})
}

func FuzzResponseHead(f *testing.F) {
	for _, texts := range badResponses {
		for _, text := range texts {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(ok200 + "Content-Length: 4\r\nConnection: A\r\nA: b\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 304 Not Modified\nETag: x\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		end, _ := sectionEnd(in, 0)
		if end < 0 {
			return
		}
		var h responseHead
		if h.parse(in[:end], maxLines) != "" || h.status < 200 {
			return
		}
		a := h.answerTo(1, []byte("GET"))
		a.date = []byte("now")
		out := h.appendTo(nil, &a)
		switch a.framed {
		case byLength:
			if h.length > 1<<20 {
				return
			}
			out = append(out, make([]byte, h.length)...)
		case byChunks:
			out = appendLastChunk(appendChunk(out, []byte("body")), nil)
		}
		requireOneResponse(t, &h, a, out)
	})
}

func requireOneResponse(t *testing.T, h *responseHead, a answer, out []byte) {
	r := bufio.NewReader(bytes.NewReader(out))
	got, err := http.ReadResponse(r, nil)
	require.NoError(t, err, "%q", out)
	body, err := io.ReadAll(got.Body)
	require.NoError(t, err, "%q", out)
	_, err = r.Peek(1)
	require.Equal(t, io.EOF, err, "more than one response in %q", out)
	require.Equal(t, h.status, got.StatusCode)
	switch a.framed {
	case byLength:
		require.Len(t, body, int(h.length))
	case byChunks:
		require.Equal(t, "body", string(body))
	default:
		require.Empty(t, body)
	}
	for i := range h.fields {
		if f := &h.fields[i]; f.known == 0 && !h.nominated(f) {
			require.Contains(t, got.Header[textproto.CanonicalMIMEHeaderKey(string(f.name))], string(f.value))
		}
	}
}

// A recipient has to parse it (RFC 9112, 7.1.1), and net/http does not.
var blankBeforeExtension = regexp.MustCompile(`[[:xdigit:]][ \t]+;`)

// What the chunk reader takes, net/http's takes for the same content; and how
// it is cut into reads makes no difference.
func FuzzChunks(f *testing.F) {
	for row, texts := range badRequests {
		for _, text := range texts {
			if _, _, behind := asRequest(text); strings.Contains(text, chunkedField) && behind != "" {
				f.Add([]byte(behind), uint8(len(row)))
			}
		}
	}
	f.Add([]byte("4\r\nabcd\r\n0\r\nA: b\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		body, trailers, fault, whole := dechunk(bytes.Clone(in))
		inPieces(t, in, int(cut%7)+1, body, fault)
		if !whole || fault != "" {
			return
		}
		text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\n%s\r\n%s", chunkedField, in)
		got, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		require.NoError(t, err)
		theirs, err := io.ReadAll(got.Body)
		if err != nil && err.Error() == "invalid byte in chunk length" && blankBeforeExtension.Match(in) {
			return
		}
		require.NoError(t, err, "%q", in)
		require.Equal(t, string(theirs), string(body))
		for i := range trailers {
			require.Contains(t, got.Trailer[textproto.CanonicalMIMEHeaderKey(string(trailers[i].name))], string(trailers[i].value))
		}
	})
}

func inPieces(t *testing.T, in []byte, size int, want []byte, wantFault fault) {
	var c chunks
	var all []byte
	for p := range slices.Chunk(bytes.Clone(in), size) {
		content, used, f := c.next(p)
		all = append(all, content...)
		if f != "" {
			require.NotEmpty(t, wantFault)
			return
		}
		if used < len(p) {
			break
		}
	}
	if wantFault == "" {
		require.Equal(t, string(want), string(all))
	}
}

// Who asks again for a body that was refused is told so again, whatever comes.
func TestFaultOfABodyStays(t *testing.T) {
	for name, text := range map[string]string{
		"size":     "5\r\nhello\r\n0\rX: y\r\n\r\n",
		"end":      "5\r\nhello\n0\r\n\r\n",
		"trailers": "5\r\nhello\r\n0\r\nX: y\nZ: z\r\n\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := conn{class: small}
			c.makeRoom()
			c.in.w += copy(c.in.free(), text)
			var b body
			b.start(byChunks, -1)
			_, first := b.take(&c, bounds{lines: 10, bytes: 1000})
			require.NotEmpty(t, first)
			content, again := b.take(&c, bounds{lines: 10, bytes: 1000})
			require.Equal(t, first, again)
			require.Empty(t, content)
			require.False(t, b.done)
		})
	}
}
