package e2e

import (
	"go/ast"
	"go/parser"
	tokens "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// promised is a row of the table in README.md beside this file: a part of a
// sentence of the project's README, and the tests that show it.
type promised struct {
	quote string
	tests []string // Name, or folder.Name for those outside this folder
}

var (
	promiseRow = regexp.MustCompile(`(?m)^\| "(.*)" \| (.*) \|$`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	listedTest = regexp.MustCompile("(?m)^- `(Test\\w+)`")
)

func promises(t *testing.T) []promised {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var all []promised
	for _, row := range promiseRow.FindAllStringSubmatch(string(text), -1) {
		p := promised{quote: row[1]}
		for _, span := range codeSpan.FindAllStringSubmatch(row[2], -1) {
			p.tests = append(p.tests, span[1])
		}
		all = append(all, p)
	}
	return all
}

// testsIn are the test functions of a folder of the project.
func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(tokens.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

func TestPromisesAreQuotedAsTheyAre(t *testing.T) {
	project := folded(readme(t))
	for _, p := range promises(t) {
		require.Contains(t, project, p.quote, "the project's README does not say so")
		require.NotEmpty(t, p.tests, "%q is shown by nothing", p.quote)
		require.GreaterOrEqual(t, len(strings.Fields(p.quote)), 3, "%q would fit anywhere", p.quote)
	}
}

func TestPromisesNameTestsThatExist(t *testing.T) {
	tests := make(map[string][]string) // by folder
	for _, p := range promises(t) {
		for _, name := range p.tests {
			folder, test := "e2e", name
			if dot := strings.LastIndex(name, "."); dot >= 0 {
				folder, test = name[:dot], name[dot+1:]
			}
			if _, read := tests[folder]; !read {
				tests[folder] = testsIn(t, folder)
			}
			require.True(t, slices.Contains(tests[folder], test), "there is no %s for %q", name, p.quote)
		}
	}
}

func TestEveryTestShowsAPromise(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var known []string
	for _, p := range promises(t) {
		known = append(known, p.tests...)
	}
	tests := testsIn(t, "e2e")
	for _, listed := range listedTest.FindAllStringSubmatch(string(text), -1) {
		require.False(t, slices.Contains(known, listed[1]), "is %s about the suite, or about a promise?", listed[1])
		require.True(t, slices.Contains(tests, listed[1]), "there is no %s", listed[1])
		known = append(known, listed[1])
	}
	for _, name := range tests {
		require.True(t, slices.Contains(known, name), "which promise does %s show? See README.md beside it", name)
	}
}

// The rule is in README.md.
func TestEveryPromiseIsShown(t *testing.T) {
	var quotes []string
	for _, p := range promises(t) {
		quotes = append(quotes, p.quote)
	}
	units := promisesOf(readme(t))
	require.Greater(t, len(units), 60, "the README is not read as it is written: %q", units)
	for _, unit := range units {
		require.True(t, slices.ContainsFunc(quotes, func(quote string) bool { return strings.Contains(unit, quote) }),
			"no quote from %q", unit)
	}
}

// promisesOf are the units of the README's parts that promise: of "How it
// works" each sentence, and the first cell of each row of a table; of the
// settings the last cell of each row.
func promisesOf(readme string) []string {
	_, rest, _ := strings.Cut(readme, "\n## How it works\n")
	works, rest, _ := strings.Cut(rest, "\n## Settings of reverse_proxy\n")
	settings, _, _ := strings.Cut(rest, "\n## ")
	var units []string
	for _, block := range regexp.MustCompile(`\n\n|\n- `).Split("\n"+works, -1) {
		if strings.HasPrefix(block, "#") {
			continue
		}
		if strings.HasPrefix(block, "|") {
			units = append(units, cells(block, 0)...)
			continue
		}
		units = append(units, sentences(folded(block))...)
	}
	return append(units, cells(settings, 4)...)
}

// sentences splits text at full stops and semicolons, without the title in
// bold type that it may begin with.
func sentences(text string) []string {
	var all []string
	text = regexp.MustCompile(`^(- )?\*\*.*?\*\* `).ReplaceAllString(text, "")
	for _, s := range regexp.MustCompile(`[.;](?: |$)`).Split(text, -1) {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

// cells are those of one column, without its name.
func cells(table string, column int) []string {
	var all []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.*) \|$`).FindAllStringSubmatch(table, -1) {
		all = append(all, strings.Split(row[1], " | ")[column])
	}
	return all[1:]
}

// folded has one blank where there was any white space.
func folded(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestPromisesAreFoundInTheReadme(t *testing.T) {
	units := promisesOf("# x\n\n## How it works\n\n- **Active checks.** One thing;\n  another one. `A` is\n  so.\n- **B.** Third one.\n\n" +
		"### A title\n\n| what happened | c |\n|---|---|\n| a row | x. y |\n\nA paragraph. More of it.\n\n" +
		"## Settings of reverse_proxy\n\nIntro.\n\n| key | variable | b | c | d |\n|---|---|---|---|---|\n| `x.y` | `X_Y` | `-x` | `1` | what it is |\n\n## More\n\n| no | x |\n")
	require.Equal(t, []string{"One thing", "another one", "`A` is so", "Third one", "a row", "A paragraph", "More of it", "what it is"}, units)
}
