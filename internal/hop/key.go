package hop

// Hash is the same for equal text, whichever the plane or the process: FNV-1a
// of 64 bits. It is 0 for no text, and for nothing else that is likely.
func Hash[S Text](s S) uint64 {
	if len(s) == 0 {
		return 0
	}
	hash := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		hash = (hash ^ uint64(s[i])) * 0x100000001b3
	}
	return hash
}

// Cookie is the value of the first cookie of that name in a Cookie field
// (RFC 6265, 4.2.1), as it was sent. Names are compared with regard to case.
func Cookie[S Text](field S, name string) (value S) {
	for len(field) > 0 {
		var pair S
		pair, field = cut(field, ';')
		for len(pair) > 0 && IsBlank(pair[0]) {
			pair = pair[1:]
		}
		if isNamed(pair, name) {
			return pair[len(name)+1:]
		}
	}
	return field
}

// Parameter is the value of the first parameter of that name in a query, both
// as they were sent: what may be percent-encoded in two ways has two values.
func Parameter[S Text](query S, name string) (value S) {
	for len(query) > 0 {
		var pair S
		if pair, query = cut(query, '&'); isNamed(pair, name) {
			return pair[len(name)+1:]
		}
	}
	return query
}

// isNamed reports whether the pair is name=value.
func isNamed[S Text](pair S, name string) bool {
	if len(pair) <= len(name) || pair[len(name)] != '=' {
		return false
	}
	for i := range len(name) {
		if pair[i] != name[i] {
			return false
		}
	}
	return true
}

// cut parts what is before the separator from what is behind it.
func cut[S Text](s S, separator byte) (before, behind S) {
	end := 0
	for end < len(s) && s[end] != separator {
		end++
	}
	return s[:end], s[min(end+1, len(s)):]
}
