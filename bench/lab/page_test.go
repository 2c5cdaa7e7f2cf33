package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	table := NewTable("", "µs")
	table.Row("nginx", 22)
	require.Equal(t, "|       | µs |\n|-------|----|\n| nginx | 22 |\n", table.String())
}

func TestReplaceSection(t *testing.T) {
	require.Equal(t, pageHead+"\n<!-- a -->\nnew\n<!-- /a -->\n", replaceSection("", "a", "new\n"))
	page := replaceSection("# Title\n", "a", "old\n")
	require.Equal(t, "# Title\n\n<!-- a -->\nold\n<!-- /a -->\n", page)
	page = replaceSection(page, "b", "other\n")
	page = replaceSection(page, "a", "new\n")
	require.Equal(t, "# Title\n\n<!-- a -->\nnew\n<!-- /a -->\n\n<!-- b -->\nother\n<!-- /b -->\n", page)
}
