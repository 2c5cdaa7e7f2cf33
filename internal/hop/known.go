package hop

// Field is a field that decides something on this hop. It is found by its
// name's length first, so that the many others cost next to nothing.
type Field uint8

// The fields, and Other for all the rest.
const (
	Other Field = iota
	Connection
	ContentLength
	Date
	Expect
	Host
	TE
	Trailer
	TransferEncoding
	Upgrade
	Authorization
	WWWAuthenticate
	XForwardedFor
	XForwardedHost
	XForwardedProto
	OtherForwarding // claims of hops before that have no field of their own here
	OtherHopByHop
)

// Known finds the field of a name in any case.
func Known[S Text](name S) Field {
	if field, lower := byLength(name); lower != "" && equalFold(name, lower) {
		return field
	}
	if hasPrefixFold(name, "x-forwarded-") {
		return OtherForwarding
	}
	return Other
}

// byLength is the one field that a name of this length and beginning can be.
func byLength[S Text](name S) (field Field, lower string) {
	switch len(name) {
	case 2:
		return TE, "te"
	case 4:
		if toLower(name[0]) == 'h' {
			return Host, "host"
		}
		return Date, "date"
	case 6:
		return Expect, "expect"
	case 7:
		if toLower(name[0]) == 'u' {
			return Upgrade, "upgrade"
		}
		return Trailer, "trailer"
	case 9:
		if toLower(name[0]) == 'x' {
			return OtherForwarding, "x-real-ip"
		}
		return OtherForwarding, "forwarded"
	case 10:
		if toLower(name[0]) == 'k' {
			return OtherHopByHop, "keep-alive"
		}
		return Connection, "connection"
	}
	return byLengthLong(name)
}

func byLengthLong[S Text](name S) (field Field, lower string) {
	switch len(name) {
	case 13:
		return Authorization, "authorization"
	case 14:
		if toLower(name[0]) == 'h' {
			return OtherHopByHop, "http2-settings"
		}
		return ContentLength, "content-length"
	case 15:
		if toLower(name[2]) == 'p' { // between a client and the first proxy that it trusts to tell
			return OtherHopByHop, "x-proxy-explain"
		}
		return XForwardedFor, "x-forwarded-for"
	case 16:
		switch toLower(name[0]) {
		case 'w':
			return WWWAuthenticate, "www-authenticate"
		case 'p':
			return OtherHopByHop, "proxy-connection"
		}
		return XForwardedHost, "x-forwarded-host"
	case 17:
		if toLower(name[0]) == 't' {
			return TransferEncoding, "transfer-encoding"
		}
		return XForwardedProto, "x-forwarded-proto"
	case 18:
		return OtherHopByHop, "proxy-authenticate"
	case 19:
		return OtherHopByHop, "proxy-authorization"
	}
	return Other, ""
}

// HopByHop reports whether the field ends at this hop whatever Connection says
// (RFC 9110, 7.6.1). HTTP2-Settings does, since Upgrade to h2c does (RFC 9113,
// 3.1).
func (f Field) HopByHop() bool {
	switch f {
	case Connection, TE, Trailer, TransferEncoding, Upgrade, OtherHopByHop:
		return true
	}
	return false
}

// Forwarding reports whether the field claims something about the hops before.
func (f Field) Forwarding() bool { return f >= XForwardedFor && f <= OtherForwarding }
