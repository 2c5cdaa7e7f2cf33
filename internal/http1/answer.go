package http1

import (
	"strconv"

	"go-proxy/internal/hop"
)

// answer is how a response is passed on to a client.
type answer struct {
	minor  int     // of the client's version
	framed framing // towards the client
	length int64   // said in the head; -1: none
	closes bool    // the connection ends behind it
	date   []byte  // for a backend without a clock

	explanation []string // see exchange.ExplainField
}

// answerTo decides how a response goes to the client: with its length if it has
// one, and else in chunks if the client knows them (RFC 9112, 6.1).
func (h *responseHead) answerTo(minor int, method []byte) answer {
	a := answer{minor: minor, framed: h.framing(method), length: -1}
	switch {
	case h.bodiless():
		if h.status == 304 && !h.chunked { // what a 200 would have had (RFC 9110, 8.6)
			a.length = h.length
		}
	case h.chunked || a.framed == untilClose:
		a.framed = byChunks
		if minor == 0 {
			a.framed, a.closes = untilClose, true
		}
		if string(method) == "HEAD" {
			a.framed = noBody
		}
	default:
		a.length = h.length
	}
	return a
}

// appendTo appends the head of a final response.
func (h *responseHead) appendTo(dst []byte, a *answer) []byte {
	dst = appendStatusLine(dst, a.minor, h.status, h.phrase)
	dst = h.appendPassing(dst)
	if !h.dated { // RFC 9110, 6.6.1
		dst = appendField(dst, "Date", a.date)
	}
	if h.chunked && !h.bodiless() && a.framed != untilClose { // also to HEAD (RFC 9110, 9.3.2)
		dst = h.appendTrailer(dst)
	}
	if a.framed == byChunks {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	dst = appendLength(dst, a.length)
	if a.closes {
		dst = appendField(dst, "Connection", "close")
	}
	dst = appendExplanation(dst, a.explanation)
	return append(dst, "\r\n"...)
}

// appendInterim appends a 1xx response.
func (h *responseHead) appendInterim(dst []byte) []byte {
	dst = h.appendPassing(appendStatusLine(dst, 1, h.status, h.phrase))
	return append(dst, "\r\n"...)
}

// appendSwitch appends a 101.
func (h *responseHead) appendSwitch(dst []byte) []byte {
	dst = h.appendPassing(appendStatusLine(dst, 1, h.status, h.phrase))
	dst = appendField(dst, "Connection", "Upgrade")
	return append(appendField(dst, "Upgrade", h.upgrade), "\r\n"...)
}

func appendStatusLine[S hop.Text](dst []byte, minor, status int, phrase S) []byte {
	dst = append(append(dst, "HTTP/1."...), byte('0'+minor), ' ')
	dst = append(strconv.AppendInt(dst, int64(status), 10), ' ')
	return append(append(dst, phrase...), "\r\n"...)
}

// appendPassing appends the fields that do not end at this hop.
func (h *responseHead) appendPassing(dst []byte) []byte {
	for i := range h.fields {
		if f := &h.fields[i]; f.known != hop.ContentLength && !f.known.HopByHop() && !h.nominated(f) {
			dst = appendField(dst, f.name, f.value)
		}
	}
	return dst
}

// switchesTo reports whether a 101 follows one of the protocols that were
// offered (RFC 9110, 7.8).
func (h *responseHead) switchesTo(offer []byte) bool {
	return len(h.upgrade) > 0 && hop.HasName(offer, h.upgrade)
}

// appendChunk appends content as one chunk; none is none, for an empty chunk
// would be the last.
func appendChunk(dst, content []byte) []byte {
	if len(content) == 0 {
		return dst
	}
	dst = append(strconv.AppendInt(dst, int64(len(content)), 16), "\r\n"...)
	return append(append(dst, content...), "\r\n"...)
}

// appendLastChunk appends the end of the chunks, with the trailers that may
// pass.
func appendLastChunk(dst []byte, trailers []field) []byte {
	dst = append(dst, "0\r\n"...)
	for i := range trailers {
		if f := &trailers[i]; hop.AllowedInTrailer(f.name) {
			dst = appendField(dst, f.name, f.value)
		}
	}
	return append(dst, "\r\n"...)
}
