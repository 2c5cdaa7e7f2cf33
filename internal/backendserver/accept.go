package backendserver

import (
	"iter"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// acceptsJSON tells whether the Accept field names application/json itself
// with a weight above 0. Wildcards do not count: curl and browsers send them,
// and people read the text.
func acceptsJSON(fields http.Header) bool {
	for item := range listMembers(strings.Join(fields.Values("Accept"), ",")) {
		mediaType, parameters, err := mime.ParseMediaType(item)
		if err == nil && mediaType == "application/json" && weight(parameters) > 0 {
			return true
		}
	}
	return false
}

// weight is the q parameter (RFC 9110, 12.4.2); what is no weight counts as 0.
func weight(parameters map[string]string) float64 {
	text, given := parameters["q"]
	if !given {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || q > 1 {
		return 0
	}
	return q
}

// listMembers splits at the commas outside quoted strings (RFC 9110, 5.6.1
// and 5.6.4).
func listMembers(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, escaped, start := false, false, 0
		for i := range len(list) {
			switch c := list[i]; {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(list[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(list[start:])
	}
}
