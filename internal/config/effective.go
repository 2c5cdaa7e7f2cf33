package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// EffectiveText is the values in force as a file, each with a comment that says
// where it came from. Secrets are left out. The rows of a group must stand
// together in the table.
func EffectiveText(table []Setting, origins map[string]Origin) string {
	var b strings.Builder
	source := func(s Setting) string { return cmp.Or(origins[s.Key].Source, "default") }
	for _, s := range table {
		if s.NotInFile {
			fmt.Fprintf(&b, "// %s: %s (%s)\n", s.Key, valueText(s, ""), source(s))
		}
	}
	b.WriteString("{\n")
	inside := ""
	for _, s := range table {
		if s.NotInFile {
			continue
		}
		group, name := splitKey(s.Key)
		indent := strings.Repeat("  ", 1+min(len(group), 1))
		b.WriteString(between(inside, group))
		fmt.Fprintf(&b, "%s%q: %s, // %s\n", indent, name, valueText(s, indent), source(s))
		inside = group
	}
	b.WriteString(between(inside, ""))
	b.WriteString("}\n")
	return b.String()
}

// between ends one group and begins another; "" is none.
func between(before, behind string) (text string) {
	if before == behind {
		return ""
	}
	if before != "" {
		text = "  },\n"
	}
	if behind != "" {
		text += fmt.Sprintf("  %q: {\n", behind)
	}
	return text
}

// valueText is the value in force as JSON, fit to be shown.
func valueText(s Setting, indent string) string {
	value := s.Get()
	switch v := value.(type) {
	case string:
		value = s.shown(v)
	case []string:
		shown := make([]string, len(v))
		for i := range v {
			shown[i] = s.shown(v[i])
		}
		value = shown
	}
	return jsonText(value, indent)
}

// jsonText is JSON for people: < stays what it is. All lines but the first begin
// with the indent.
func jsonText(value any, indent string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(indent, "  ")
	_ = e.Encode(value) // which cannot fail for what this package has
	return string(bytes.TrimSpace(b.Bytes()))
}
