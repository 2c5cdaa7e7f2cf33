package config

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with the configuration, told so that the
// operator need not look anything up.
type Problem struct {
	Key    string // the setting, or "" where no setting is to blame
	Source string // "environment variable X", "flag -x", "default" or "proxy.json:3:14"
	Value  string
	Err    error  // what is wrong with the value
	Valid  string // what would be right
	Hint   string // what may have been meant, or ""

	// Excerpt is the line of the file, with a mark below the place; "" if no
	// file is to blame.
	Excerpt string
}

// Error is one line. Whoever has room for more shows the Excerpt below it.
func (p Problem) Error() string {
	var text string
	switch {
	case p.Key == "":
		text = fmt.Sprintf("%s: %v", p.Source, p.Err)
	case p.Excerpt == "":
		text = fmt.Sprintf("%s: %s: %q: %v", p.Key, p.Source, p.Value, p.Err)
	case p.Value == "":
		text = fmt.Sprintf("%s: %s: %v", p.Source, p.Key, p.Err)
	default:
		text = fmt.Sprintf("%s: %s: %q: %v", p.Source, p.Key, p.Value, p.Err)
	}
	if p.Hint != "" {
		text += " (did you mean " + p.Hint + "?)"
	}
	if p.Valid != "" {
		text += "; valid: " + p.Valid
	}
	return redact(text)
}

// Problems are all that is wrong: with the command line, with the file in its
// order, with other settings in the order of the table, and with settings that
// do not go together.
type Problems []Problem

// Error is each problem with the line of the file that has it.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.Error())
		if p.Excerpt != "" {
			lines = append(lines, p.Excerpt)
		}
	}
	return strings.Join(lines, "\n")
}

// asError keeps an empty list from becoming a non-nil error.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
