package hop

// Target is what a backend is asked for: the path and query of a request
// target, byte for byte. ok is false for a target that could be read in more
// than one way.
//
// Of an absolute-form target the scheme and authority are left out (RFC 9112,
// 3.2.2), so what is returned may be empty or begin with "?"; a path of "/" is
// then meant. Asterisk-form (RFC 9112, 3.2.4) goes with OPTIONS only.
//
// A target that is not ok is returned for the log, and so without what may be
// user information.
func Target[S, M Text](method M, target S) (pathAndQuery S, ok bool) {
	pathAndQuery, ok = splitTarget(method, target)
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return pathAndQuery, false
		}
	}
	return pathAndQuery, ok
}

func splitTarget[S, M Text](method M, target S) (S, bool) {
	switch {
	case len(target) == 0:
		return target, false
	case target[0] == '/':
		return target, true
	case len(target) == 1 && target[0] == '*':
		return target, string(method) == "OPTIONS"
	case hasPrefixFold(target, "http://"):
		return skipAuthority(target[len("http://"):])
	case hasPrefixFold(target, "https://"):
		return skipAuthority(target[len("https://"):])
	}
	for i := range len(target) {
		if target[i] == '@' {
			return target[:0], false
		}
	}
	return target, false
}

// skipAuthority refuses user information in it (RFC 9110, 4.2.4).
func skipAuthority[S Text](rest S) (S, bool) {
	end, ok := 0, true
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' {
		ok = ok && rest[end] != '@'
		end++
	}
	return rest[end:], ok && end > 0
}

// AppendTarget appends the target to ask a backend for: its prefix, then what
// Target returned.
func AppendTarget[S, M Text](dst []byte, method M, prefix string, pathAndQuery S) []byte {
	switch {
	case len(pathAndQuery) == 1 && pathAndQuery[0] == '*':
		return append(dst, '*')
	case len(pathAndQuery) == 0 && string(method) == "OPTIONS":
		return append(dst, '*') // RFC 9112, 3.2.4: the server itself was meant
	}
	dst = append(dst, prefix...)
	if len(pathAndQuery) == 0 || pathAndQuery[0] == '?' {
		dst = append(dst, '/')
	}
	return append(dst, pathAndQuery...)
}

// Authority is that of a target in absolute-form, or "". It replaces Host
// (RFC 9112, 3.2.2).
func Authority[S Text](target S) S {
	for _, scheme := range []string{"http://", "https://"} {
		if hasPrefixFold(target, scheme) {
			rest := target[len(scheme):]
			path, _ := skipAuthority(rest)
			return rest[:len(rest)-len(path)]
		}
	}
	return target[:0]
}

// RefuseTarget says why a request for this target must not be forwarded, or
// None. limit is in bytes.
func RefuseTarget[S, M Text](method M, target S, limit int64) Cause {
	switch {
	case string(method) == "PRI": // the preface of HTTP/2 (RFC 9113, 3.4)
		return BadRequest
	case string(method) == "CONNECT": // a tunnel past every rule (RFC 9110, 9.3.6)
		return MethodNotAllowed
	case int64(len(target)) > limit:
		return TargetTooLong
	}
	if _, ok := Target(method, target); !ok {
		return BadRequest
	}
	return None
}
