package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place says where in a file an offset is: the number of the line, and of the
// character in it, both from 1; and the text of the line.
func place(text []byte, offset int) (line, column int, whole string) {
	begin := bytes.LastIndexByte(text[:offset], '\n') + 1
	rest, _, _ := bytes.Cut(text[begin:], []byte("\n"))
	return 1 + bytes.Count(text[:begin], []byte("\n")), 1 + utf8.RuneCount(text[begin:offset]), string(rest)
}

// What an excerpt shows of a line, in characters.
const (
	excerptBefore = 60
	excerptAfter  = 40
)

// excerpt is a line with a mark below one of its characters, made fit for a
// terminal. Secrets are left out.
func excerpt(line string, column int) string {
	before, after := splitHidden(line, column-1)
	before, after = printable(before), printable(after)
	if n := len(before) - excerptBefore; n > 0 {
		before = append([]rune("…"), before[n:]...)
	}
	if len(after) > excerptAfter {
		after = append(after[:excerptAfter:excerptAfter], '…')
	}
	shown := strings.TrimRight(string(before)+string(after), " ")
	indent := len(shown) - len(strings.TrimLeft(shown, " "))
	indent = min(indent, len(before))
	return fmt.Sprintf("    %s\n    %s^", shown[indent:], strings.Repeat(" ", len(before)-indent))
}

// splitHidden splits the line at a character, and leaves secrets out. One that
// goes over the split counts as behind it.
func splitHidden(line string, at int) (before, after []rune) {
	split := len(string([]rune(line)[:at]))
	for _, secrets := range []*regexp.Regexp{userInfo, query} {
		for _, secret := range secrets.FindAllStringIndex(line, -1) {
			if secret[0] < split && split < secret[1] {
				split = secret[0]
			}
		}
	}
	hide := func(text string) []rune { return []rune(hideQuery(redact(text))) }
	return hide(line[:split]), hide(line[split:])
}

// printable has a blank for every character that would not stand in its place.
func printable(text []rune) []rune {
	for i, r := range text {
		if !unicode.IsPrint(r) {
			text[i] = ' '
		}
	}
	return text
}
