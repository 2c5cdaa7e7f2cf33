package hop

import "strconv"

// AllowedMethods is the value of Allow beside MethodNotAllowed (RFC 9110,
// 15.5.6).
const AllowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// TryLater reports whether asking again after a while may help, which
// Retry-After says (RFC 9110, 10.2.3).
func (c Cause) TryLater() bool {
	return c == NoBackendAlive || c == Overloaded || c == Shutdown || c == BackendRemoved
}

// AppendAnswer appends the content of the proxy's own answer for the cause: the
// status with its phrase, the cause, and nothing that tells of what is behind
// the proxy.
func AppendAnswer(dst []byte, c Cause, phrase string) []byte {
	dst = strconv.AppendInt(dst, int64(c.Status()), 10)
	dst = append(append(dst, ' '), phrase...)
	dst = append(append(dst, ": "...), c.String()...)
	return append(dst, '\n')
}
