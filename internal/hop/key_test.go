package hop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHashIsFNV1a(t *testing.T) {
	for text, want := range map[string]uint64{ // the test vectors of its authors
		"a":      0xaf63dc4c8601ec8c,
		"b":      0xaf63df4c8601f1a5,
		"foobar": 0x85944171f73967e8,
		"":       0,
	} {
		require.Equal(t, want, Hash(text), text)
		require.Equal(t, want, Hash([]byte(text)), text)
	}
}

func TestCookieIsFoundByItsName(t *testing.T) {
	for field, want := range map[string]string{
		"s=1":                "1",
		"a=0; s=1; b=2":      "1",
		"a=0;s=1":            "1",
		"a=0;\ts=1":          "1",
		"s=1; s=2":           "1",
		`s="x y"`:            `"x y"`,
		"s=a=b":              "a=b",
		"s=":                 "",
		"s=; s=2":            "",
		"s":                  "",
		"":                   "",
		";;":                 "",
		"S=1":                "",
		"xs=1; sx=2":         "",
		"as=s=1":             "",
		"a=0, s=1":           "",
		"a=\"; s=1; b=2; \"": "1", // quotes do not protect (RFC 6265, 4.1.1)
	} {
		require.Equal(t, want, Cookie(field, "s"), "%q", field)
		require.Equal(t, want, string(Cookie([]byte(field), "s")), "%q", field)
	}
}

func TestParameterIsFoundByItsName(t *testing.T) {
	for query, want := range map[string]string{
		"u=1":         "1",
		"a=0&u=1&b=2": "1",
		"u=1&u=2":     "1",
		"u=a=b":       "a=b",
		"u=%31":       "%31",
		"u=":          "",
		"u":           "",
		"":            "",
		"&&":          "",
		"U=1":         "",
		"xu=1&ux=2":   "",
		"a=0;u=1":     "",
		"a=u=1":       "",
		"%75=1":       "",
		"a=0& u=1":    "",
	} {
		require.Equal(t, want, Parameter(query, "u"), "%q", query)
		require.Equal(t, want, string(Parameter([]byte(query), "u")), "%q", query)
	}
}

func TestLastItemOfAList(t *testing.T) {
	for list, want := range map[string][2]string{
		"":            {"", ""},
		"a":           {"", "a"},
		"a, b":        {"a", "b"},
		"a,b , \tc\t": {"a,b ", "c"},
		"a,":          {"a", ""},
		",":           {"", ""},
		",a":          {"", "a"},
	} {
		rest, item := LastItem(list)
		require.Equal(t, want, [2]string{rest, item}, "%q", list)
		restBytes, itemBytes := LastItem([]byte(list))
		require.Equal(t, want, [2]string{string(restBytes), string(itemBytes)}, "%q", list)
	}
}

// said is the value of the first part that begins with name=, the other way.
func said(text, separator, blanks, name string) string {
	for part := range strings.SplitSeq(text, separator) {
		if value, found := strings.CutPrefix(strings.TrimLeft(part, blanks), name+"="); found {
			return value
		}
	}
	return ""
}

func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"", "s=1", "a=0; s=1", "a=0&s=1", "s=;s=2", ";;s", "s", "&=&s=", "a, b", ",", "\t s=1", "ss=1;\ts=\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		require.Equal(t, said(text, ";", " \t", "s"), Cookie(text, "s"))
		require.Equal(t, said(text, "&", "", "s"), Parameter(text, "s"))
		rest, item := LastItem(text)
		items := strings.Split(text, ",")
		require.Equal(t, strings.Trim(items[len(items)-1], " \t"), item)
		require.Equal(t, strings.Join(items[:len(items)-1], ","), rest)
		require.Equal(t, Hash(text), Hash([]byte(text)))
	})
}

func TestKeysAllocateNothing(t *testing.T) {
	cookie, query, list := []byte("a=0; s=1"), []byte("a=0&u=1"), []byte("a, b")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		Hash(Cookie(cookie, "s"))
		Hash(Parameter(query, "u"))
		_, item := LastItem(list)
		Hash(item)
	}))
}
