package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ErrHelp is returned by Load when the arguments ask for help.
var ErrHelp = errors.New("help is asked for")

// Problem is one thing wrong with the configuration, told so that the
// operator need not look anything up.
type Problem struct {
	Key    string // the setting, or "" where no setting is to blame
	Source string // "environment variable X", "flag -x" or "default"
	Value  string
	Err    error  // what is wrong with the value
	Valid  string // what would be right
}

func (p Problem) Error() string {
	text := fmt.Sprintf("%s: %v; valid: %s", p.Source, p.Err, p.Valid)
	if p.Key != "" {
		text = fmt.Sprintf("%s: %s: %q: %v; valid: %s", p.Key, p.Source, p.Value, p.Err, p.Valid)
	}
	return userInfo.ReplaceAllString(text, "//***@")
}

// userInfo is where a URL has its password. Problems are printed where logs
// are kept.
var userInfo = regexp.MustCompile(`//[^/@\s"]*@`)

// Problems are all that is wrong: with the command line, with settings in the
// order of the table, and with settings that do not go together.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// about reports whether one of the problems is the setting's.
func (ps Problems) about(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Key == key })
}

// asError keeps an empty list from becoming a non-nil error.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Origin says where the value in force came from.
type Origin struct{ Source, Value string }

// Load gives every setting of the table its value: a flag wins over the
// environment, that over the default. An empty variable counts as not set.
// It returns the origin of each value by key, and ErrHelp or all Problems.
func Load(table []Setting, args []string, getenv func(string) string) (map[string]Origin, error) {
	flags, problems, help := parseFlags(table, args)
	if help {
		return nil, ErrHelp
	}
	origins := make(map[string]Origin, len(table))
	for _, s := range table {
		set := func(source, value string) {
			if err := s.Set(value); err != nil {
				problems = append(problems, Problem{s.Key, source, value, err, s.Valid})
				return
			}
			origins[s.Key] = Origin{source, value}
		}
		if s.Default != "" {
			set("default", s.Default)
		}
		if value := getenv(s.Env); value != "" {
			set("environment variable "+s.Env, value)
		}
		if value, given := flags[s.Flag()]; given {
			set("flag -"+s.Flag(), value)
		}
	}
	return origins, problems.asError()
}

// parseFlags collects the flags' values as text. Unlike package flag it goes
// on behind a mistake, so that one run reports everything.
func parseFlags(table []Setting, args []string) (values map[string]string, problems Problems, help bool) {
	known := make(map[string]bool, len(table))
	for _, s := range table {
		known[s.Flag()] = true
	}
	values = make(map[string]string)
	mistake := func(err error, valid string) {
		problems = append(problems, Problem{Source: "command line", Err: err, Valid: valid})
	}
	for len(args) > 0 {
		given := args[0]
		args = args[1:]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(given, "-"), "-"), "=")
		switch {
		case !strings.HasPrefix(given, "-"):
			mistake(fmt.Errorf("%q is not a flag", given), "flags only; -h lists them")
		case name == "h" || name == "help":
			return nil, nil, true
		case !known[name]:
			mistake(fmt.Errorf("unknown flag %q", given), "the flags that -h lists")
		case hasValue:
			values[name] = value
		case len(args) == 0:
			mistake(fmt.Errorf("flag -%s has no value", name), "-"+name+" VALUE")
		default:
			values[name], args = args[0], args[1:]
		}
	}
	return values, problems, false
}
