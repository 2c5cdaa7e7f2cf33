package hop

// nextItem splits the first element off a comma-separated list
// (RFC 9110, 5.6.1) and trims its white space.
func nextItem[S Text](list S) (item, rest S) {
	item, rest = cut(list, ',')
	return Trim(item), rest
}

// LastItem splits the last element off a comma-separated list: of an
// X-Forwarded-For field the hop nearest to us.
func LastItem[S Text](list S) (rest, item S) {
	start := len(list)
	for start > 0 && list[start-1] != ',' {
		start--
	}
	return list[:max(start-1, 0)], Trim(list[start:])
}

// Trim leaves out the blanks around a value.
func Trim[S Text](s S) S {
	for len(s) > 0 && IsBlank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && IsBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// IsBlank reports whether c is white space in a field (RFC 9110, 5.6.3).
func IsBlank(c byte) bool { return c == ' ' || c == '\t' }

// HasToken reports whether the list holds the token, whatever its case; lower
// must be lower case.
func HasToken[S Text](list S, lower string) bool {
	for len(list) > 0 {
		var item S
		if item, list = nextItem(list); equalFold(item, lower) {
			return true
		}
	}
	return false
}

// HasName is HasToken for a field name in any case: whether a Connection
// field nominates it (RFC 9110, 7.6.1).
func HasName[S, N Text](list S, name N) bool {
	for len(list) > 0 {
		var item S
		if item, list = nextItem(list); sameFold(item, name) {
			return true
		}
	}
	return false
}

func sameFold[A, B Text](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if toLower(a[i]) != toLower(b[i]) {
			return false
		}
	}
	return true
}

// AppendUpgrade appends the protocols of an Upgrade field that may cross this
// hop. h2c may not: it would carry requests past every rule of the proxy
// (RFC 9113, 3.1). What is no protocol (RFC 9110, 7.8) might be h2c to another
// reader, and may not either. Nothing is appended if nothing is left.
func AppendUpgrade[S Text](dst []byte, value S) []byte {
	start := len(dst)
	for len(value) > 0 {
		var item S
		item, value = nextItem(value)
		if !mayUpgradeTo(item) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, item...)
	}
	return dst
}

// mayUpgradeTo takes a name, or a name, a slash and a version.
func mayUpgradeTo[S Text](protocol S) bool {
	end := 0
	for end < len(protocol) && protocol[end] != '/' {
		end++
	}
	name, version := protocol[:end], protocol[min(end+1, len(protocol)):]
	return ValidName(name) && !equalFold(name, "h2c") && (end == len(protocol) || ValidName(version))
}

// AppendForwardedFor appends an X-Forwarded-For value: the client behind what
// earlier hops said, if anything that they said is believed.
func AppendForwardedFor[S, C Text](dst []byte, earlier S, client C) []byte {
	if len(earlier) > 0 {
		dst = append(dst, earlier...)
		dst = append(dst, ", "...)
	}
	return append(dst, client...)
}

// AppendTrailer appends the names of a Trailer field that are passed on
// (RFC 9110, 6.6.2). Nothing is appended if nothing is left.
func AppendTrailer[S Text](dst []byte, value S) []byte {
	start := len(dst)
	for len(value) > 0 {
		var name S
		name, value = nextItem(value)
		if !ValidName(name) || !AllowedInTrailer(name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
	}
	return dst
}

// Nominates reports whether a Connection field names a field, rather than
// only saying what becomes of the connection.
func Nominates[S Text](connection S) bool {
	for len(connection) > 0 {
		var item S
		item, connection = nextItem(connection)
		if len(item) > 0 && !equalFold(item, "close") && !equalFold(item, "keep-alive") && !equalFold(item, "upgrade") {
			return true
		}
	}
	return false
}
