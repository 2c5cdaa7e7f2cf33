package config

import "strings"

// suggestKey is the key that was most likely meant by one that does not exist,
// or "": of the same group, else of another, which may also be spelled as its
// flag or its variable.
func suggestKey(table []Setting, path string) string {
	group, name := splitKey(path)
	best := guess{}
	for _, s := range table {
		in, own := splitKey(s.FileKey())
		if in == group {
			best.try(name, own, s.FileKey())
		} else if group == "" {
			best.try(name, in, in)
		}
	}
	for _, s := range table {
		if key := s.FileKey(); key != "" {
			_, own := splitKey(key)
			best.try(name, own, key)
			best.try(name, key, key)
			best.try(name, s.Env, key)
		}
	}
	return best.meant
}

// splitKey parts the last name of a key from the group that it is in.
func splitKey(key string) (group, name string) {
	dot := strings.LastIndexByte(key, '.')
	return key[:max(dot, 0)], key[dot+1:]
}

// suggest is the name that was most likely meant, or "".
func suggest(text string, names []string) string {
	best := guess{}
	for _, name := range names {
		best.try(text, name, name)
	}
	return best.meant
}

// guess is the nearest so far.
type guess struct {
	meant    string
	distance int
}

// try takes a name that is nearer than the one there is, and near enough: a
// third of the text may be wrong.
func (g *guess) try(text, spelling, meant string) {
	a, b := folded(text), folded(spelling)
	if len(a) > maxFolded || b == "" {
		return
	}
	d := distance(a, b)
	if min(len(a), len(b)) >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		d = min(d, 1) // "warning" for "warn", "body" for "body_bytes"
	}
	if d <= len(a)/3 && (g.meant == "" || d < g.distance) {
		*g = guess{meant, d}
	}
}

// maxFolded is longer than any name.
const maxFolded = 64

// folded leaves out what people put between words.
func folded(name string) string {
	return strings.NewReplacer(".", "", "_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// distance counts the bytes to put in, leave out, change, or swap with their
// neighbour (optimal string alignment).
func distance(a, b string) int {
	var before, last, row []int // two rows up, one row up, this one
	for i := 0; i <= len(a); i++ {
		row = make([]int, len(b)+1)
		for j := range row {
			if i == 0 || j == 0 {
				row[j] = i + j
				continue
			}
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return row[len(b)]
}
