package hop

// hopByHop are the fields that speak to the next hop only (RFC 9110, 7.6.1),
// with the unregistered one that old clients still send.
var hopByHop = []string{"connection", "keep-alive", "te", "trailer", "transfer-encoding",
	"upgrade", "proxy-connection", "proxy-authenticate", "proxy-authorization"}

// IsHopByHop reports whether the field ends at this hop whatever Connection
// says.
func IsHopByHop[S Text](name S) bool { return oneOf(name, hopByHop) }

// IsForwarding reports whether the field claims something about the hops
// before. A stranger's claims are not passed on.
func IsForwarding[S Text](name S) bool {
	if len(name) == 0 || (name[0]|0x20 != 'x' && name[0]|0x20 != 'f') {
		return false
	}
	return hasPrefixFold(name, "x-forwarded-") || equalFold(name, "forwarded") || equalFold(name, "x-real-ip")
}

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
