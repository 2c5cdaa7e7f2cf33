package http1

import (
	"bytes"

	"go-proxy/internal/hop"
)

// requestHead is a parsed request head: views into the buffer that it was read
// into.
type requestHead struct {
	message
	method, target []byte
	host           []byte // Host, or the authority of the target
	hosts          int
	expects        bool // that the body is asked for: 100-continue
	unknownExpect  bool
	login          bool   // the client logs its connection in
	offer          []byte // protocols to switch to that may cross this hop; no view
}

// parse takes a head, empty line included. What it accepts has one meaning.
// The request line is known even if there is a fault behind it.
func (h *requestHead) parse(head []byte, lines int) (f fault) {
	h.reset()
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
	return h.check()
}

func (h *requestHead) reset() {
	*h = requestHead{message: h.emptied(), offer: h.offer[:0]}
	h.minor = 1 // until it says otherwise
}

// parseLine takes the request line (RFC 9112, 3): one blank between its parts,
// which are none of them empty.
func (h *requestHead) parseLine(line []byte) fault {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, version, found := bytes.Cut(rest, []byte{' '})
	if !found || len(target) == 0 || !hop.ValidName(method) {
		return badRequestLine
	}
	h.method, h.target = method, target
	return h.parseVersion(version)
}

func (h *requestHead) note(f *field) fault {
	switch f.known {
	case hop.Host:
		h.host = f.value
		h.hosts++
	case hop.Expect:
		h.unknownExpect = h.unknownExpect || h.expects || !hop.UnderstandsExpect(f.value)
		h.expects = true
	case hop.Authorization:
		h.login = h.login || isLogin(f.value)
	}
	return h.message.note(f)
}

// check is about what fields say together. The authority of a target replaces
// Host (RFC 9112, 3.2.2). Two ways to end a body, or one that HTTP/1.0 does not
// have, mean that somebody reads this differently (RFC 9112, 6.1).
func (h *requestHead) check() fault {
	if h.hosts > 1 || h.hosts == 0 && h.minor > 0 || !hop.ValidHost(h.host) {
		return badHost
	}
	if authority := hop.Authority(h.target); len(authority) > 0 {
		if h.host = authority; !hop.ValidHost(h.host) {
			return badHost
		}
	}
	if h.upgrades && h.minor > 0 { // HTTP/1.0 cannot (RFC 9110, 7.8)
		h.offer = hop.AppendUpgrade(h.offer, h.upgrade)
	}
	switch {
	case h.chunked && h.length >= 0:
		return twoLengths
	case h.chunked && h.minor == 0:
		return codingInHTTP10
	}
	return ""
}

// framing is how the request's body ends (RFC 9112, 6.3).
func (h *requestHead) framing() framing {
	switch {
	case h.chunked:
		return byChunks
	case h.length > 0:
		return byLength
	}
	return noBody
}

// isLogin reports whether a login of this scheme holds for the connection it
// is made on, not for a request (RFC 4559, 6).
func isLogin(value []byte) bool {
	scheme, _, _ := bytes.Cut(value, []byte{' '})
	return hop.HasToken(scheme, "ntlm") || hop.HasToken(scheme, "negotiate")
}
