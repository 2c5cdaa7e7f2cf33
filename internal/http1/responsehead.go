package http1

import (
	"bytes"
	"strconv"

	"go-proxy/internal/hop"
)

// responseHead is a parsed response head: views into the buffer that it was
// read into.
type responseHead struct {
	message
	status int
	phrase []byte
	dated  bool
	login  bool // the backend wants a login that holds for the connection
}

// parse takes a head, empty line included.
func (h *responseHead) parse(head []byte, lines int) (f fault) {
	*h = responseHead{message: h.emptied()}
	line, rest := cutLine(head)
	if f = h.parseLine(line); f != "" {
		return f
	}
	if h.fields, f = appendFields(h.fields, rest, lines); f != "" {
		return f
	}
	for i := range h.fields {
		if f = h.note(&h.fields[i]); f != "" {
			return f
		}
	}
	if h.chunked && h.minor == 0 {
		return codingInHTTP10
	}
	return ""
}

// parseLine takes the status line (RFC 9112, 4). The blank behind the status is
// often missing when there is no phrase.
func (h *responseHead) parseLine(line []byte) fault {
	version, rest, _ := bytes.Cut(line, []byte{' '})
	status, phrase, _ := bytes.Cut(rest, []byte{' '})
	n, err := strconv.ParseUint(string(status), 10, 16)
	if err != nil || len(status) != 3 || n < 100 || !hop.ValidValue(phrase) {
		return badStatusLine
	}
	h.status, h.phrase = int(n), phrase
	return h.parseVersion(version)
}

func (h *responseHead) note(f *field) fault {
	switch f.known {
	case hop.Date:
		h.dated = true
	case hop.WWWAuthenticate:
		h.login = h.login || isLogin(f.value)
	}
	return h.message.note(f)
}

// framing is how the body of a response to a request of the method ends
// (RFC 9112, 6.3). Chunks win over a length; such a connection must not be used
// again.
func (h *responseHead) framing(method []byte) framing {
	switch {
	case h.bodiless() || string(method) == "HEAD":
		return noBody
	case h.chunked:
		return byChunks
	case h.length == 0:
		return noBody
	case h.length > 0:
		return byLength
	}
	return untilClose
}

// bodiless reports whether a response of this status never has a body
// (RFC 9110, 15.2, 15.3.5 and 15.4.5).
func (h *responseHead) bodiless() bool {
	return h.status < 200 || h.status == 204 || h.status == 304
}

// reusable reports whether the backend leaves its connection open for more.
func (h *responseHead) reusable() bool {
	return h.minor > 0 && !h.closes && !(h.chunked && h.length >= 0)
}
