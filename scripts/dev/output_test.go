package main

import (
	"strings"
	"testing"
)

func TestOutputKeepsLinesWhole(t *testing.T) {
	var got strings.Builder
	out := &output{prefixes: prefixes([]string{"a", "long"}, false), w: &got}
	a, long := out.named("a"), out.named("long")
	for _, step := range []struct {
		to   *lineWriter
		text string
	}{
		{a, "one "},
		{long, "two\nthree\nfo"},
		{a, "piece\n"},
		{long, "ur"},
	} {
		step.to.Write([]byte(step.text))
	}
	a.flush()
	long.flush()

	want := "long | two\nlong | three\na    | one piece\nlong | four\n"
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}
