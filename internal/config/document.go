package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// node is a value of the file.
type node struct {
	kind    string // a type of JSON Schema
	text    string // of a string or a number; on or off for a boolean
	path    string // "health.interval", "backends[0].url"; "" for the whole
	offset  int    // of its first byte
	items   []*node
	members []member
}

// member is one of an object's.
type member struct {
	name   string
	offset int // of the name
	value  *node
}

// fault is one thing wrong with the file.
type fault struct {
	offset int
	key    string // of the setting to blame, or ""
	value  string
	err    error
	valid  string
	hint   string // what may have been meant
}

// parse reads JSON with comments and trailing commas. It returns nil and why if
// the text has no meaning. Where encoding/json makes the best of a text, this
// refuses: names that are there twice, of which it takes the last, and what is
// not Unicode, for which it puts U+FFFD.
func parse(text []byte) (*node, []fault) {
	if at := invalidUTF8(text); at >= 0 {
		return nil, []fault{{offset: at, err: errors.New("is not UTF-8")}}
	}
	plain, open := blank(text)
	if open >= 0 {
		return nil, []fault{{offset: open, err: errors.New("comment without an end")}}
	}
	// Token would find most mistakes, too, but counts where they are from
	// different starts. What json.Unmarshal takes, it takes.
	var whole json.RawMessage
	if err := json.Unmarshal(plain, &whole); err != nil {
		return nil, []fault{syntaxFault(plain, err)}
	}
	p := parser{plain: plain, tokens: json.NewDecoder(bytes.NewReader(plain))}
	p.tokens.UseNumber()
	root := p.value("")
	if p.err != nil {
		return nil, []fault{syntaxFault(plain, p.err)}
	}
	return root, p.faults
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

const jsonBlanks = " \t\r\n"

// syntaxFault is where the text stops to be JSON. At its end that is behind the
// last byte that means something.
func syntaxFault(plain []byte, err error) fault {
	at := len(bytes.TrimRight(plain, jsonBlanks))
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if ok && !strings.HasPrefix(syntax.Error(), "unexpected end") {
		at = int(syntax.Offset) - 1 // Offset counts the bytes read
	}
	return fault{offset: at, err: fmt.Errorf("is not JSON: %w", err)}
}

// blank overwrites with blanks what JSON does not have, so that every other
// byte stays where it is: comments, and commas behind a last value. If a
// comment has no end, it returns where that begins, or else -1.
func blank(text []byte) (plain []byte, open int) {
	plain = bytes.Clone(text)
	last := byte('[') // the last byte that means something; at first as if nothing could be parted
	comma := -1       // behind a value, and nothing behind it yet
	for i := 0; i < len(plain); i++ {
		c := plain[i]
		switch {
		case strings.IndexByte(jsonBlanks, c) >= 0:
			continue
		case c == '/':
			n := commentLength(plain[i:])
			if n < 0 {
				return nil, i
			}
			if n > 0 {
				copy(plain[i:], bytes.Repeat([]byte(" "), n))
				i += n - 1
				continue
			}
		case c == ',' && strings.IndexByte("[{:,", last) < 0:
			comma, last = i, c
			continue
		case c == '"':
			i += stringLength(plain[i:]) - 1
		case (c == ']' || c == '}') && comma >= 0:
			plain[comma] = ' '
		}
		comma, last = -1, c
	}
	return plain, -1
}

// commentLength is 0 if the text does not begin with a comment, and -1 if that
// has no end.
func commentLength(text []byte) int {
	switch {
	case bytes.HasPrefix(text, []byte("//")):
		if end := bytes.IndexAny(text, "\r\n"); end >= 0 {
			return end
		}
		return len(text)
	case bytes.HasPrefix(text, []byte("/*")):
		end := bytes.Index(text[2:], []byte("*/"))
		if end < 0 {
			return -1
		}
		return 2 + end + 2
	}
	return 0
}

// stringLength counts the quotes. What has no end goes to the end of the text.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
