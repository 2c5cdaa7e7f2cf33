package hop

import "strings"

// IsHopByHop reports whether the field ends at this hop whatever Connection
// says.
func IsHopByHop[S Text](name S) bool { return Known(name).HopByHop() }

// IsForwarding reports whether the field claims something about the hops
// before. A stranger's claims are not passed on.
func IsForwarding[S Text](name S) bool { return Known(name).Forwarding() }

// notInTrailers are fields that frame, route, authenticate or control a
// message, and so must be known before its content (RFC 9110, 6.5.1).
var notInTrailers = []string{"content-length", "host", "authorization", "www-authenticate",
	"cookie", "set-cookie", "content-encoding", "content-type", "content-range", "cache-control",
	"expect", "max-forwards", "pragma", "range", "age", "date", "expires", "location",
	"retry-after", "vary", "warning"}

// AllowedInTrailer reports whether a trailer field of this name is passed on.
func AllowedInTrailer[S Text](name S) bool {
	return !IsHopByHop(name) && !IsForwarding(name) && !hasPrefixFold(name, "if-") && !oneOf(name, notInTrailers)
}

// tokenBytes are what a token may be made of (RFC 9110, 5.6.2).
var tokenBytes = func() (set [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		set[c] = true
	}
	return set
}()

// ValidName reports whether a field name is a token (RFC 9110, 5.6.2).
func ValidName[S Text](name S) bool {
	for i := range len(name) {
		if !tokenBytes[name[i]] {
			return false
		}
	}
	return len(name) > 0
}

// ValidValue reports whether a field value is free of the control characters
// that another parser might take for the end of a line (RFC 9110, 5.5).
func ValidValue[S Text](value S) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Idempotent reports whether a request of this method may be sent again after
// a failure that leaves open whether it was carried out (RFC 9110, 9.2.2).
func Idempotent[S Text](method S) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// ValidHost reports whether a Host value is made of the bytes that a host and
// a port may hold (RFC 9110, 7.2; RFC 3986, 3.2.2). It may be empty.
func ValidHost[S Text](host S) bool {
	for i := range len(host) {
		if c := host[i]; c >= 0x80 || !tokenBytes[c] && strings.IndexByte("():;,=[]", c) < 0 || c == '#' || c == '^' || c == '`' || c == '|' {
			return false
		}
	}
	return true
}

// UnderstandsExpect reports whether an expectation is 100-continue
// (RFC 9110, 10.1.1). Any other, or a second one, might be understood by one
// hop and not by the next, which would then disagree on when the body comes.
func UnderstandsExpect[S Text](value S) bool { return equalFold(value, "100-continue") }
