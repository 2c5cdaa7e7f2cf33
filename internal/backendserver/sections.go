package backendserver

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// section is a part of a text for people.
type section struct {
	title string
	rows  []row
}

// row is one line of the text.
type row struct{ name, value string }

// fieldRows has a row for every value, sorted by name, in the order received.
func fieldRows(fields http.Header) []row {
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			rows = append(rows, row{name, value})
		}
	}
	return rows
}

// maxWidth keeps one monstrous name from widening every line.
const maxWidth = 32

// sections lines all values up in one column; a section without rows is left out.
func sections(all ...section) string {
	width := 0
	for _, s := range all {
		for _, r := range s.rows {
			width = min(max(width, len(r.name)), maxWidth)
		}
	}
	var b strings.Builder
	for _, s := range all {
		if len(s.rows) > 0 {
			fmt.Fprintln(&b, s.title)
		}
		for _, r := range s.rows {
			fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, r.name, r.value), " "))
		}
	}
	return b.String()
}
