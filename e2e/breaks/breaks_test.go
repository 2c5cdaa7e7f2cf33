package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Patches rot when what they change does. Whether they turn their tests red
// takes minutes (make e2e-breaks); this takes a moment.
func TestEveryPatchAppliesAndNamesWhatIsThere(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git to apply patches with")
	}
	patches, err := load(".")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(patches), 20)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	tests, promises := testsOfSuite(t), promisesOfSuite(t)
	for _, p := range patches {
		t.Run(p.name, func(t *testing.T) {
			require.NoError(t, p.apply(root, "--check"))
			require.Subset(t, tests, p.red)
			shownBy := promises[p.promise]
			require.NotEmpty(t, shownBy, "README.md of e2e has no promise %q", p.promise)
			require.True(t, slices.ContainsFunc(p.red, func(name string) bool { return strings.Contains(shownBy, "`"+name+"`") }),
				"%q is not shown by any of %v", p.promise, p.red)
			for mode := range strings.SplitSeq(p.modes, ",") {
				require.Contains(t, []string{"inprocess", "binaries"}, mode)
			}
			require.Contains(t, planesBroken(t, p), p.plane)
		})
	}
}

// planesBroken are those in which the patch can show: what changes one plane's
// own code does in that one alone.
func planesBroken(t *testing.T, p patch) (planes []string) {
	text, err := os.ReadFile(p.file)
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^\+\+\+ b/internal/(proxy|http1)/`).FindAllSubmatch(text, -1) {
		planes = append(planes, map[string]string{"proxy": "nethttp", "http1": "http1"}[string(match[1])])
	}
	if planes == nil {
		return []string{"http1", "nethttp"}
	}
	return planes
}

// testsOfSuite are the names of the tests in e2e.
func testsOfSuite(t *testing.T) (names []string) {
	files, err := filepath.Glob("../*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	return names
}

// promisesOfSuite maps the quotes of README.md in e2e to the cells with their
// tests.
func promisesOfSuite(t *testing.T) map[string]string {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	promises := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| "(.*)" \| (.*) \|$`).FindAllSubmatch(text, -1) {
		promises[string(row[1])] = string(row[2])
	}
	return promises
}

func TestSuiteIsJudgedByItsEvents(t *testing.T) {
	const begin = `{"Action":"start"}` + "\n" + `{"Action":"run","Test":"TestA"}` + "\n"
	red, err := judge([]byte(begin+`{"Action":"fail","Test":"TestB/inprocess"}`+"\n"+
		`{"Action":"fail","Test":"TestB"}`+"\n"+`{"Action":"fail","Test":"TestA"}`+"\n"+`{"Action":"fail"}`+"\n"), "")
	require.NoError(t, err)
	require.Equal(t, []string{"TestA", "TestB"}, red)
	_, err = judge([]byte(begin+`{"Action":"output","Test":"TestA","Output":"panic: test timed out\n"}`+"\n"), "")
	require.ErrorContains(t, err, "test timed out", "what came after it is not known")
	_, err = judge([]byte(`{"Action":"output","Output":"x.go:1: undefined: y\n"}`+"\n"+`{"Action":"fail"}`+"\n"), "")
	require.ErrorContains(t, err, "undefined: y", "it does not compile")
}

func TestDifferencesAreSaid(t *testing.T) {
	require.Empty(t, compare([]string{"TestA"}, []string{"TestA"}))
	require.Equal(t, []string{"stays green: TestA", "also red:    TestB"}, compare([]string{"TestA", "TestC"}, []string{"TestB", "TestC"}))
}

func TestBreaksAreChosenByName(t *testing.T) {
	all := []patch{{name: "a"}, {name: "b"}, {name: "c"}}
	some, err := chosen(all, "c,a")
	require.NoError(t, err)
	require.Equal(t, []patch{{name: "c"}, {name: "a"}}, some)
	_, err = chosen(all, "d")
	require.ErrorContains(t, err, `"d"`)
}
