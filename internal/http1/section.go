package http1

import (
	"bytes"

	"go-proxy/internal/hop"
)

// field is a field line: views into the buffer that it was read into.
type field struct {
	name, value []byte
	known       hop.Field
}

// sectionEnd finds the end of the lines at the start of p, behind the first
// empty one, or -1. Then resume is from where to look again when more has come.
// A bare LF ends a line, too (RFC 9112, 2.2).
func sectionEnd(p []byte, from int) (end, resume int) {
	for {
		i := bytes.IndexByte(p[from:], '\n')
		if i < 0 {
			return -1, from
		}
		if i == 0 || i == 1 && p[from] == '\r' {
			return from + i + 1, 0
		}
		from += i + 1
	}
}

// emptyLines is how many bytes of empty lines p begins with. They may come
// before a request (RFC 9112, 2.2).
func emptyLines(p []byte) (n int) {
	for line, rest := cutLine(p); rest != nil && len(line) == 0; line, rest = cutLine(rest) {
		n = len(p) - len(rest)
	}
	return n
}

// cutLine splits the first line off, without its end.
func cutLine(p []byte) (line, rest []byte) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		return p, nil
	}
	line, rest = p[:i], p[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

// appendFields parses field lines up to the empty one and appends them to
// fields, at most limit. A line that begins with a blank would continue the one
// before (obs-fold); its name is no token, so that it is refused
// (RFC 9112, 5.2), as is a blank before the colon (5.1).
func appendFields(fields []field, section []byte, limit int) ([]field, fault) {
	for {
		var line []byte
		if line, section = cutLine(section); len(line) == 0 {
			return fields, ""
		}
		if len(fields) == limit {
			return fields, tooManyLines
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return fields, badFieldLine
		}
		f := field{name: line[:colon], value: hop.Trim(line[colon+1:])}
		if !hop.ValidName(f.name) {
			return fields, badName
		}
		if !hop.ValidValue(f.value) {
			return fields, badValue
		}
		f.known = hop.Known(f.name)
		fields = append(fields, f)
	}
}
