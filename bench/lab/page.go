package lab

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Table is one in Markdown, its columns aligned so that it reads well on a
// terminal, too.
type Table struct{ rows [][]string }

// NewTable makes a table with that head.
func NewTable(head ...string) *Table { return &Table{[][]string{head}} }

// Row adds a row.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

func (t *Table) String() string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for i, row := range t.rows {
		writeRow(&b, row, widths, " ")
		if i == 0 {
			writeRow(&b, make([]string, len(row)), widths, "-")
		}
	}
	return b.String()
}

// writeRow fills each cell up to its width.
func writeRow(b *strings.Builder, row []string, widths []int, fill string) {
	for i, cell := range row {
		fmt.Fprint(b, "|", fill, cell, strings.Repeat(fill, widths[i]-utf8.RuneCountInString(cell)), fill)
	}
	b.WriteString("|\n")
}

// Origin says how figures came about: the command, when, of what and where.
func Origin(command string) string {
	return fmt.Sprintf("`%s`, %s, commit %s\n\n- Machine: %s.\n- Network: %s.\n",
		command, time.Now().UTC().Format("2006-01-02 15:04 UTC"), Commit(), Machine(), Network())
}

// Millis writes a time in milliseconds.
func Millis(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// Write puts text into the page's section of that name, in place of what was
// there, or behind all others; without a page it prints it.
func Write(page, section, text string) error {
	if page == "" {
		fmt.Print(text)
		return nil
	}
	old, err := os.ReadFile(page)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(page, []byte(replaceSection(string(old), section, text)), 0o644)
}

const pageHead = "# What it costs\n\nWritten by `make bench-peers`, whole sections at a time. Not to be edited.\n"

func replaceSection(page, section, text string) string {
	if page == "" {
		page = pageHead
	}
	begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->\n"
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		before, after = page+"\n", ""
	}
	return before + begin + text + end + after
}
