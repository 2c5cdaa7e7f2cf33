package config

import (
	"slices"
	"strings"
)

// Schema is a part of a JSON Schema, by keyword. Its "type" also says what the
// file's loader takes.
type Schema map[string]any

// types are those that a value may have.
func (s Schema) types() []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []string:
		return t
	}
	return []string{"string"}
}

// takes reports whether a value of the kind may be there. Which numbers are
// whole is left to the type.
func (s Schema) takes(kind string) bool {
	return slices.Contains(s.types(), kind) || kind == "number" && slices.Contains(s.types(), "integer")
}

// kinds are the types as people call them.
func (s Schema) kinds() string {
	var texts []string
	for _, t := range s.types() {
		texts = append(texts, kindText(t))
	}
	return strings.Join(texts, " or ")
}

func kindText(kind string) string {
	switch kind {
	case "null":
		return "null"
	case "boolean":
		return "true or false"
	case "array", "object":
		return "an " + kind
	case "integer":
		return "a number"
	}
	return "a " + kind
}

// names are the only values there are, if there are only so many.
func (s Schema) names() []string {
	names, _ := s["enum"].([]string)
	return names
}
