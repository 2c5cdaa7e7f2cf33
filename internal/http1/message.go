package http1

import (
	"strconv"

	"go-proxy/internal/hop"
)

// message is what the heads of requests and responses have in common.
type message struct {
	minor     int     // of HTTP/1.x; above 1 counts as 1 (RFC 9110, 2.5)
	fields    []field // in the order of arrival
	closes    bool    // the connection ends with this message
	nominates bool    // Connection names fields
	upgrades  bool    // Connection names Upgrade
	upgrade   []byte  // the value of Upgrade
	length    int64   // Content-Length; -1: there is none
	chunked   bool
}

// emptied keeps the memory of the fields.
func (m *message) emptied() message { return message{fields: m.fields[:0], length: -1} }

// note takes what a field says of the connection and of the body.
func (m *message) note(f *field) fault {
	switch f.known {
	case hop.Connection:
		m.closes = m.closes || hop.HasToken(f.value, "close")
		m.upgrades = m.upgrades || hop.HasToken(f.value, "upgrade")
		m.nominates = m.nominates || hop.Nominates(f.value)
	case hop.Upgrade:
		if m.upgrade == nil {
			m.upgrade = f.value
		}
	case hop.ContentLength:
		return m.noteLength(f.value)
	case hop.TransferEncoding:
		// The one coding that there is, once: any other spelling is read
		// differently by somebody (RFC 9112, 6.1 and 7).
		if m.chunked || len(f.value) != len("chunked") || !hop.HasToken(f.value, "chunked") {
			return badCoding
		}
		m.chunked = true
	}
	return ""
}

// noteLength takes a Content-Length; one that is said twice must be the same
// (RFC 9112, 6.3).
func (m *message) noteLength(value []byte) fault {
	n, err := strconv.ParseUint(string(value), 10, 63) // digits alone (RFC 9110, 8.6)
	switch {
	case err != nil:
		return badLength
	case m.length >= 0 && m.length != int64(n):
		return twoLengths
	}
	m.length = int64(n)
	return ""
}

// parseVersion takes HTTP/1. and a digit (RFC 9112, 2.3).
func (m *message) parseVersion(p []byte) fault {
	if len(p) != len("HTTP/1.1") || string(p[:7]) != "HTTP/1." || p[7] < '0' || p[7] > '9' {
		return badVersion
	}
	m.minor = min(int(p[7]-'0'), 1)
	return ""
}

// nominated reports whether Connection names the field, which then ends at this
// hop (RFC 9110, 7.6.1).
func (m *message) nominated(f *field) bool {
	if !m.nominates {
		return false
	}
	for i := range m.fields {
		if c := &m.fields[i]; c.known == hop.Connection && hop.HasName(c.value, f.name) {
			return true
		}
	}
	return false
}

// framing is how a body ends (RFC 9112, 6).
type framing uint8

const (
	noBody framing = iota
	byLength
	byChunks
	untilClose
)
