package proxy

import (
	"net/http"

	"go-proxy/internal/hop"
)

// refuse says why a request must not be forwarded, or None.
func (s *settings) refuse(r *http.Request) hop.Cause {
	if cause := hop.RefuseTarget(r.Method, r.RequestURI, s.Limits.TargetBytes); cause != hop.None {
		return cause
	}
	switch {
	case s.headTooLarge(r):
		return hop.HeaderTooLarge
	case s.Limits.BodyBytes > 0 && r.ContentLength > s.Limits.BodyBytes:
		return hop.BodyTooLarge
	case !understandsExpect(r.Header["Expect"]):
		return hop.ExpectationFailed
	}
	// Whether the bytes of such a body are HTTP would depend on the backend.
	if r.ContentLength != 0 && wantsUpgrade(r) {
		return hop.BadRequest
	}
	return hop.None
}

func understandsExpect(values []string) bool {
	return len(values) == 0 || len(values) == 1 && hop.UnderstandsExpect(values[0])
}

// headTooLarge counts again, since net/http allows 4 KiB more than told and
// any number of lines.
func (s *settings) headTooLarge(r *http.Request) bool {
	lines, size := 1, len("  HTTP/1.1\r\nHost: \r\n\r\n")+len(r.Method)+len(r.RequestURI)+len(r.Host)
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	return lines > s.Limits.HeaderLines || int64(size) > s.Limits.HeaderBytes
}

// wantsUpgrade reports whether a protocol would be forwarded in Upgrade.
func wantsUpgrade(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 && upgradeTo(r) != ""
}

// upgradeTo is the value of Upgrade to be forwarded, or "".
func upgradeTo(r *http.Request) string {
	if !r.ProtoAtLeast(1, 1) || !connectionHas(r.Header, "upgrade") {
		return ""
	}
	return string(hop.AppendUpgrade(nil, r.Header.Get("Upgrade")))
}

// connectionHas reports whether a Connection field lists the option.
func connectionHas(h http.Header, lower string) bool {
	for _, v := range h["Connection"] {
		if hop.HasToken(v, lower) {
			return true
		}
	}
	return false
}
