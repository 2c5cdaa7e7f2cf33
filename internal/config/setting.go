// Package config turns flags and environment variables into plain data.
//
// A program describes what it can be told as a table of Settings; one row
// drives parsing, validation, the -h text and the README's table. The package
// knows nothing of the parts that use the values, and every other package may
// import it.
package config

import "strings"

// Setting is one row of a program's table of settings.
type Setting struct {
	Key     string // name within the configuration: "health.interval"
	Env     string // environment variable: "HEALTH_CHECK_INTERVAL"
	Default string // parsed like any other value; empty: none
	Help    string // one line, no full stop
	Type           // how a value is read, and where it goes

	// DefaultNote stands in for Default where that depends on other settings.
	DefaultNote string
}

// Type reads one value and stores it.
type Type struct {
	Valid string // what is valid, for messages: "a duration above 0, such as 10s"
	Set   func(value string) error
}

// Flag is the name of the setting's command-line flag, without the dash.
func (s Setting) Flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key)
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
