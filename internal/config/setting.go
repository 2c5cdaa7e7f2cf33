// Package config turns a file, environment variables and flags into plain data.
//
// A program describes what it can be told as a table of Settings; one row
// drives parsing, validation, the -h text, the file's JSON Schema and the
// README's table. The package knows nothing of the parts that use the values,
// and every other package may import it.
package config

import (
	"cmp"
	"strings"
)

// Setting is one row of a program's table of settings.
type Setting struct {
	Key     string // path within the file: "health.interval"
	Env     string // environment variable: "HEALTH_CHECK_INTERVAL"; empty: none
	Default string // parsed like any other value; empty: none
	Help    string // one line, no full stop
	Type           // how a value is read, and where it goes

	// DefaultNote stands in for Default where that depends on other settings.
	DefaultNote string
	// NotInFile is true for what says where the file is, and what becomes of it.
	NotInFile bool
}

// fileKey is the setting that names the file with the others. A table without
// it has no file.
const fileKey = "config"

// Type reads one value and stores it.
type Type struct {
	Valid string // what is valid, for messages: "a duration above 0, such as 10s"
	Set   func(value string) error

	// Get is the value in force as the file has it: a string, an int, a bool or
	// a []string.
	Get func() any
	// InFile is Valid for the file; empty: the same.
	InFile string
	// JSON says in the words of JSON Schema how the file has it; nil: a string.
	JSON Schema
	// Bare is what the flag means when it is given without a value; empty: it
	// needs one.
	Bare string
	// Hide leaves the secrets of a value out; nil: it can hold none.
	Hide func(value string) string

	setList func(list *node) []fault // sets an array of the file
}

// Flag is the name of the setting's command-line flag, without the dash.
func (s Setting) Flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key)
}

// FileKey is the setting's path within the file, or "" if it cannot be there.
func (s Setting) FileKey() string {
	if s.NotInFile {
		return ""
	}
	return s.Key
}

// DefaultText is the default as people read it.
func (s Setting) DefaultText() string {
	switch {
	case s.DefaultNote != "":
		return s.DefaultNote
	case s.Default == "":
		return "none"
	}
	return s.Default
}

// validInFile is what is valid in the file.
func (t Type) validInFile() string { return cmp.Or(t.InFile, t.Valid) }

// shown is a value as it may be printed.
func (t Type) shown(value string) string {
	if t.Hide != nil {
		value = t.Hide(value)
	}
	return redact(value)
}
