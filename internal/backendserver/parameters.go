package backendserver

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go-proxy/internal/config"
)

// parameter is one row of a table of query parameters; it drives parsing, the
// text of a refusal, and the help.
type parameter struct {
	name, example, help string
	config.Type
}

// parse gives each parameter of the table that the query names its value. It
// returns all problems at once. What the table does not name is not looked at.
func parse(table []parameter, query url.Values) error {
	var problems config.Problems
	for _, p := range table {
		values := query[p.name]
		if len(values) > 1 {
			problems = append(problems, p.problem(strings.Join(values, ", "), errors.New("given more than once")))
			continue
		}
		for _, value := range values {
			if err := p.Set(value); err != nil {
				problems = append(problems, p.problem(value, err))
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func (p parameter) problem(value string, err error) config.Problem {
	return config.Problem{Key: p.name, Source: "query parameter", Value: value, Err: err, Valid: p.Valid}
}

// parseOnly is parse for a query that is meant for the table alone, where a
// slip of the pen must not pass in silence.
func parseOnly(table []parameter, query url.Values) error {
	known := names(table)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return config.Problem{Source: "query", Err: fmt.Errorf("unknown parameter %q", name), Valid: strings.Join(known, ", ")}
		}
	}
	return parse(table, query)
}

func names(table []parameter) []string {
	var all []string
	for _, p := range table {
		all = append(all, p.name)
	}
	return all
}

func writeParameters(w io.Writer, indent string, table []parameter) {
	for _, p := range table {
		writeEntry(w, indent, p.name+"="+p.example, p.help)
		writeEntry(w, indent, "", p.Valid)
	}
}

func writeEntry(w io.Writer, indent, what, help string) {
	fmt.Fprintf(w, "%s%-18s %s\n", indent, what, help)
}
