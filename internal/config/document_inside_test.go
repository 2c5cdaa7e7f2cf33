package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/tailscale/hujson"
)

// The tests in this file are those that must look inside.

// plainJSON is the text without comments and trailing commas, by a reader that
// is not ours; nil if it is none.
func plainJSON(text []byte) []byte {
	// It wants \n at the end of a comment; we take \r, too, and the end of the text.
	plain, err := hujson.Standardize(append(bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), '\n'))
	if err != nil || !json.Valid(plain) {
		return nil
	}
	return plain
}

// any is the value as encoding/json has it.
func (n *node) any() any {
	switch n.kind {
	case "string":
		return n.text
	case "number":
		return json.Number(n.text)
	case "boolean":
		return n.text == "on"
	case "array":
		items := []any{}
		for _, item := range n.items {
			items = append(items, item.any())
		}
		return items
	case "object":
		members := map[string]any{}
		for _, m := range n.members {
			members[m.name] = m.value.any()
		}
		return members
	}
	return nil
}

// begins checks that every value and every name begins where it is said to.
func (n *node) begins(t *testing.T, text []byte) {
	first := map[string]string{"string": `"`, "number": "-0123456789", "boolean": "tf", "null": "n", "array": "[", "object": "{"}[n.kind]
	require.Contains(t, first, string(text[n.offset]), n.path)
	for _, item := range n.items {
		item.begins(t, text)
	}
	for _, m := range n.members {
		var name string
		require.NoError(t, json.NewDecoder(bytes.NewReader(text[m.offset:])).Decode(&name))
		require.Equal(t, m.name, name)
		m.value.begins(t, text)
	}
}

var documents = []string{
	``, `{}`, `[]`, `null`, `1`, `"a"`, `{"a": 1,}`, `[1, 2,]`, `[,]`, `{,}`, `[1,,]`, `,`, `1,`, `{"a":,}`, `{"a",}`, `{"a":1,,}`, `[1,}`,
	`/**/{/**/"a"/**/:/**/1/**/,/**/}/**/`, "// a\r{}", "{} // b", "{} /* c", "{}/", "/{}", "/*/ {}", `"/* d */ // e ,]"`, `["\"", "\\", "//",]`,
	`{"a": {"b": [{"c": [1,],},],},}`, `{"a": 1, "a": 2}`, `{"a": {"b": 1, "\u0062": 2}}`, "[1e999, -0, 1E+2, 00, .5, 1., +1, 0x1]",
	`["\ud83d\ude80", "\ud83d", "\ude80", "\u0000", "` + "\ufffd" + `"]`, "[\"\xff\"]", "\ufeff{}", `{"": {"": 1}}`, `tru`, `truetrue`, `[1 2]`, `{"a" 1}`, `{"a": 1} {}`,
	strings.Repeat("[", 10001), strings.Repeat("[", 300) + strings.Repeat("]", 300), "[\"\n\"]", "\v{}", "{}\x00", "[1/**/2]", `{"a":1/*,*/}`, `[1,/*,*/]`, "[1,//]\n]",
}

func FuzzDocument(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	paths, err := filepath.Glob("testdata/files/*/*.json")
	require.NoError(f, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, faults := parse(text)
		plain := plainJSON(text)
		for _, w := range faults {
			require.True(t, 0 <= w.offset && w.offset <= len(text))
		}
		if root == nil {
			require.NotEmpty(t, faults)
			require.True(t, plain == nil || !utf8.Valid(text) || nestedDeeply(plain), "%s: %v", plain, faults)
			return
		}
		require.NotNil(t, plain, "taken, but encoding/json does not")
		root.begins(t, text)
		if len(faults) > 0 {
			return // what is there twice, or was replaced
		}
		var want any
		tokens := json.NewDecoder(bytes.NewReader(plain))
		tokens.UseNumber()
		require.NoError(t, tokens.Decode(&want))
		require.Equal(t, want, root.any())
	})
}

// nestedDeeply reports what encoding/json refuses and hujson does not.
func nestedDeeply(plain []byte) bool { return bytes.Count(plain, []byte("[")) > 10000 }

// Half a pair is taken by encoding/json, which makes U+FFFD of it.
func TestWhatEncodingJSONWouldReplaceIsRefused(t *testing.T) {
	for _, text := range []string{`"\ud83d"`, `"\ude80\ud83d"`, `{"\ud83d": 1}`, `["` + "\ufffd" + `"]`, "\"\xff\"", "// \xff\n1"} {
		_, faults := parse([]byte(text))
		require.Len(t, faults, 1, text)
	}
	root, faults := parse([]byte(`"\ud83d\ude80"`))
	require.Empty(t, faults)
	require.Equal(t, "🚀", root.text)
}

func TestBlanksKeepEveryOtherByteWhereItIs(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": 1, /* , */ } // b`: `{"a": 1          }     `,
		"[1, // ]\r2,\n]":         "[1,     \r2 \n]",
		`["//", "/*", "\",]"]`:    `["//", "/*", "\",]"]`,
		`[,] {,} [1,,]`:           `[,] {,} [1,,]`,
		"é /* é */ [1,]":          "é          [1 ]",
	} {
		plain, open := blank([]byte(text))
		require.Equal(t, -1, open)
		require.Equal(t, want, string(plain))
	}
}

func TestDistanceCountsSlips(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1}, {"abc", "acb", 1},
		{"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		require.Equal(t, test.want, distance(test.a, test.b), "%v", test)
	}
}
