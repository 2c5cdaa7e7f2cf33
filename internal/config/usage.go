package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteUsage writes the table as -h shows it.
func WriteUsage(w io.Writer, table []Setting) {
	hasFile := slices.ContainsFunc(table, func(s Setting) bool { return s.Key == fileKey })
	for _, s := range table {
		names := fmt.Sprintf("  -%-28s %s", s.Flag(), s.Env)
		if key := s.FileKey(); hasFile && key != "" {
			names = fmt.Sprintf("%-60s %s", names, key)
		}
		fmt.Fprintln(w, names)
		fmt.Fprintf(w, "        %s\n", s.Help)
		fmt.Fprintf(w, "        %s (default: %s)\n", s.Valid, s.DefaultText())
	}
}

// Markdown is the table as the README shows it.
func Markdown(table []Setting) string {
	var b strings.Builder
	b.WriteString("| key in the file | variable | flag | default | what it is |\n|---|---|---|---|---|\n")
	for _, s := range table {
		key := ""
		if s.FileKey() != "" {
			key = "`" + s.FileKey() + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | `-%s` | `%s` | %s |\n", key, s.Env, s.Flag(), s.DefaultText(), s.Help)
	}
	return b.String()
}
