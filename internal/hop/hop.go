// Package hop holds the facts of HTTP that matter where a message passes from
// one connection to the next: which fields stay behind, what a forwarding
// field looks like, which target a backend is asked for, what may be sent
// twice, and which status each failure is answered with.
//
// It is pure and knows neither net/http's types nor sockets: predicates over
// one field and functions that append, for text as strings or as bytes, so
// that every plane decides by the same code.
package hop

// Text is field text as either plane holds it.
type Text interface{ ~string | ~[]byte }

// equalFold reports whether s is lower but for ASCII case. Field names and
// options compare so (RFC 9110, 5.1 and 7.6.1); lower must be lower case.
func equalFold[S Text](s S, lower string) bool {
	return len(s) == len(lower) && hasPrefixFold(s, lower)
}

func hasPrefixFold[S Text](s S, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if toLower(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func oneOf[S Text](s S, lower []string) bool {
	for _, l := range lower {
		if equalFold(s, l) {
			return true
		}
	}
	return false
}
