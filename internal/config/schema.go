package config

import (
	"maps"
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

// JSONSchema is the schema of the file that sets the table, for editors: draft
// 7, which all of them know. It gives every setting its default.
func JSONSchema(table []Setting) string {
	root := Schema{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"title":   "Configuration file of reverse_proxy",
		// Two words of VS Code's own.
		"allowComments":       true,
		"allowTrailingCommas": true,
	}
	whole := root.object()
	whole[schemaKey] = Schema{"type": "string", "description": "where the editor finds this schema"}
	groups := make(map[string]Schema) // the properties of each
	for _, s := range table {
		if s.NotInFile {
			continue
		}
		group, name := splitKey(s.Key)
		in := whole
		if group != "" {
			if groups[group] == nil {
				object := Schema{}
				groups[group] = object.object()
				whole[group] = object
			}
			in = groups[group]
		}
		in[name] = s.schema()
	}
	return jsonText(root, "") + "\n"
}

// with is a copy that has one keyword more.
func (s Schema) with(keyword string, value any) Schema {
	with := maps.Clone(s)
	with[keyword] = value
	return with
}

// object makes s the schema of an object that has no other properties than
// those that the caller puts into the result.
func (s Schema) object() (properties Schema) {
	properties = Schema{}
	s["type"], s["additionalProperties"], s["properties"] = "object", false, properties
	return properties
}

// schema is the type's with what people read.
func (s Setting) schema() Schema {
	schema := Schema{"type": "string"}
	maps.Copy(schema, s.JSON)
	text := s.Help + ". Valid: " + s.validInFile() + "."
	if s.DefaultNote != "" {
		text += " Default: " + s.DefaultNote + "."
	} else if s.Default == "" || s.Set(s.Default) == nil {
		schema["default"] = s.Get()
	}
	schema["description"] = text
	return schema
}
