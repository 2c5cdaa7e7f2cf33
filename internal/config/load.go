package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrHelp is returned by Load when the arguments ask for help.
var ErrHelp = errors.New("help is asked for")

// Origin says where the value in force came from.
type Origin struct {
	Source, Value string
	Excerpt       string // as in Problem

	items []Origin // of a list of the file
}

// Load gives every setting of the table its value: a flag wins over the
// environment, that over the file, that over the default. An empty variable
// counts as not set. It returns the origin of each value by key, and ErrHelp or
// all Problems.
func Load(table []Setting, args []string, getenv func(string) string) (map[string]Origin, error) {
	flags, problems, help := parseFlags(table, args)
	if help {
		return nil, ErrHelp
	}
	l := loader{flags: flags, getenv: getenv, origins: make(map[string]Origin, len(table)), file: new(file)}
	l.open(table)
	for _, s := range table {
		l.set(s)
	}
	problems = append(problems, l.file.problems()...)
	return l.origins, append(problems, l.problems...).asError()
}

// loader gives settings their values.
type loader struct {
	flags    map[string]string
	getenv   func(string) string
	file     *file
	origins  map[string]Origin
	problems Problems
}

// open reads the file, if the table has one and it is named.
func (l *loader) open(table []Setting) {
	i := slices.IndexFunc(table, func(s Setting) bool { return s.Key == fileKey })
	if i < 0 {
		return
	}
	given := l.given(table[i])
	if len(given) == 0 {
		return
	}
	named := given[len(given)-1]
	if named.Value == "" {
		return // which its type refuses
	}
	f, err := readFile(named.Value, table)
	if err != nil {
		l.problems = append(l.problems, Problem{Key: fileKey, Source: named.Source, Value: named.Value, Err: err, Valid: table[i].Valid})
		return
	}
	l.file = f
}

// given are the values from outside the file; the last one wins.
func (l *loader) given(s Setting) (values []Origin) {
	if value := l.getenv(s.Env); s.Env != "" && value != "" {
		values = append(values, Origin{Source: "environment variable " + s.Env, Value: value})
	}
	if value, given := l.flags[s.Flag()]; given {
		values = append(values, Origin{Source: "flag -" + s.Flag(), Value: value})
	}
	return values
}

// set gives a setting its value. Those that do not win must be valid, too: they
// are one edit away from being in force.
func (l *loader) set(s Setting) {
	try := func(o Origin) {
		if err := s.Set(o.Value); err != nil {
			l.problems = append(l.problems, Problem{Key: s.Key, Source: o.Source, Value: s.shown(o.Value), Err: err,
				Valid: s.Valid, Hint: suggest(o.Value, s.JSON.names())})
			return
		}
		l.origins[s.Key] = o
	}
	if s.Default != "" {
		try(Origin{Source: "default", Value: s.Default})
	}
	if origin, found := l.file.set(s); found {
		l.origins[s.Key] = origin
	}
	for _, o := range l.given(s) {
		try(o)
	}
}

// parseFlags collects the flags' values as text. Unlike package flag it goes
// on behind a mistake, so that one run reports everything.
func parseFlags(table []Setting, args []string) (values map[string]string, problems Problems, help bool) {
	known := make(map[string]Setting, len(table))
	for _, s := range table {
		known[s.Flag()] = s
	}
	values = make(map[string]string)
	mistake := func(err error, valid, hint string) {
		problems = append(problems, Problem{Source: "command line", Err: err, Valid: valid, Hint: hint})
	}
	for len(args) > 0 {
		given := args[0]
		args = args[1:]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(given, "-"), "-"), "=")
		setting, isKnown := known[name]
		switch {
		case !strings.HasPrefix(given, "-"):
			mistake(fmt.Errorf("%q is not a flag", given), "flags only; -h lists them", "")
		case name == "h" || name == "help":
			return nil, nil, true
		case !isKnown:
			mistake(fmt.Errorf("unknown flag %q", given), "the flags that -h lists", suggestFlag(table, name))
		case hasValue:
			values[name] = value
		case setting.Bare != "":
			values[name] = setting.Bare
		case len(args) == 0:
			mistake(fmt.Errorf("flag -%s has no value", name), "-"+name+" VALUE", "")
		default:
			values[name], args = args[0], args[1:]
		}
	}
	return values, problems, false
}

// suggestFlag is the flag that was most likely meant, or "".
func suggestFlag(table []Setting, name string) string {
	best := guess{}
	for _, s := range table {
		best.try(name, s.Flag(), "-"+s.Flag())
	}
	return best.meant
}
