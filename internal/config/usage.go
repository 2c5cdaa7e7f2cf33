package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteUsage writes the table as -h shows it.
func WriteUsage(w io.Writer, table []Setting) {
	for _, s := range table {
		fmt.Fprintf(w, "  -%-28s %s\n", s.Flag(), s.Env)
		fmt.Fprintf(w, "        %s\n", s.Help)
		fmt.Fprintf(w, "        %s (default: %s)\n", s.Valid, s.DefaultText())
	}
}

// Markdown is the table as the README shows it.
func Markdown(table []Setting) string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | what it is |\n|---|---|---|---|\n")
	for _, s := range table {
		fmt.Fprintf(&b, "| `%s` | `-%s` | `%s` | %s |\n", s.Env, s.Flag(), s.DefaultText(), s.Help)
	}
	return b.String()
}
