package config_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

func TestUsage(t *testing.T) {
	var b bytes.Buffer
	config.WriteUsage(&b, new(config.Config).Settings())
	golden(t, "usage", b.String())
}

func TestEveryRowIsNamedOnceAndExplained(t *testing.T) {
	keys, envs, flags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range new(config.Config).Settings() {
		require.False(t, keys[s.Key] || envs[s.Env] || flags[s.Flag()], s.Key)
		keys[s.Key], envs[s.Env], flags[s.Flag()] = true, true, true
		require.Regexp(t, `^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)?$`, s.Key)
		require.Regexp(t, `^[A-Z]+(_[A-Z]+)*$`, s.Env)
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, s.Flag())
		require.NotEmpty(t, s.Help, s.Key)
		require.NotRegexp(t, `[.|\n]$`, s.Help, "one line, no full stop, no end of a table cell")
		require.NotEmpty(t, s.Valid, s.Key)
		require.NotEmpty(t, s.DefaultText(), s.Key)
	}
}

func TestDefaultTextIsWhatPeopleRead(t *testing.T) {
	require.Equal(t, "none", config.Setting{}.DefaultText())
	require.Equal(t, "1s", config.Setting{Default: "1s"}.DefaultText())
	require.Equal(t, "it depends", config.Setting{Default: "1s", DefaultNote: "it depends"}.DefaultText())
}

func TestMarkdownIsATable(t *testing.T) {
	table := []config.Setting{
		{Key: "a.b_c", Env: "A", Default: "1s", Help: "what a is"},
		{Key: "d", Env: "D", Help: "what d is", NotInFile: true},
	}
	require.Equal(t, "| key in the file | variable | flag | default | what it is |\n|---|---|---|---|---|\n"+
		"| `a.b_c` | `A` | `-a-b-c` | `1s` | what a is |\n"+
		"|  | `D` | `-d` | `none` | what d is |\n", config.Markdown(table))
}

const readme = "../../README.md"

var settingsInReadme = regexp.MustCompile(`(?s)(<!-- settings -->\n)(.*)(<!-- /settings -->)`)

func TestReadmeListsTheSettings(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	want := config.Markdown(new(config.Config).Settings())
	if *update {
		text = settingsInReadme.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(want, "$", "$$")+"${3}"))
		require.NoError(t, os.WriteFile(readme, text, 0o644))
	}
	found := settingsInReadme.FindSubmatch(text)
	require.NotNil(t, found, "README.md has no <!-- settings --> and <!-- /settings -->")
	require.Equal(t, want, string(found[2]), "go test ./internal/config -update writes it")
}
