package config

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// EffectiveText is the values in force as a file, each with a comment that says
// where it came from. Secrets are left out. The rows of a group must stand
// together in the table.
func EffectiveText(table []Setting, origins map[string]Origin) string {
	var b bytes.Buffer
	source := func(s Setting) string {
		if o, found := origins[s.Key]; found {
			return o.Source
		}
		return "default"
	}
	for _, s := range table {
		if s.NotInFile {
			fmt.Fprintf(&b, "// %s: %s (%s)\n", s.Key, valueText(s, ""), source(s))
		}
	}
	b.WriteString("{\n")
	inside, indent := "", "  "
	enter := func(group string) {
		if group == inside {
			return
		}
		if inside != "" {
			b.WriteString("  },\n")
		}
		inside, indent = group, "  "
		if group != "" {
			fmt.Fprintf(&b, "  %q: {\n", group)
			indent = "    "
		}
	}
	for _, s := range table {
		if s.NotInFile {
			continue
		}
		group, name := splitKey(s.Key)
		enter(group)
		fmt.Fprintf(&b, "%s%q: %s, // %s\n", indent, name, valueText(s, indent), source(s))
	}
	enter("")
	b.WriteString("}\n")
	return b.String()
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
