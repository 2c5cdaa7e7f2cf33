package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parser makes nodes of tokens.
type parser struct {
	plain  []byte
	tokens *json.Decoder
	faults []fault
	err    error
}

// next returns a token and where it begins.
func (p *parser) next() (token json.Token, offset int) {
	rest := p.plain[p.tokens.InputOffset():]
	offset = len(p.plain) - len(bytes.TrimLeft(rest, jsonBlanks+",:"))
	token, err := p.tokens.Token()
	if err != nil {
		p.err = err
	}
	return token, offset
}

func (p *parser) more() bool { return p.err == nil && p.tokens.More() }

func (p *parser) value(path string) *node {
	token, offset := p.next()
	n := &node{kind: "null", path: path, offset: offset}
	switch t := token.(type) {
	case string:
		n.kind, n.text = "string", t
		p.refuseReplaced(n.path, offset, t)
	case json.Number:
		n.kind, n.text = "number", t.String()
	case bool:
		n.kind, n.text = "boolean", switchText(t)
	case json.Delim:
		n.kind = map[json.Delim]string{'[': "array", '{': "object"}[t]
		p.fill(n)
	}
	return n
}

// fill reads what is in an array or an object, and its end.
func (p *parser) fill(n *node) {
	first := make(map[string]bool)
	for p.more() {
		if n.kind == "array" {
			n.items = append(n.items, p.value(fmt.Sprintf("%s[%d]", n.path, len(n.items))))
			continue
		}
		token, offset := p.next()
		name, _ := token.(string)
		path := strings.TrimPrefix(n.path+"."+name, ".")
		p.refuseReplaced(path, offset, name)
		value := p.value(path)
		if first[name] {
			p.faults = append(p.faults, fault{offset: offset, err: fmt.Errorf("%q is there twice", path), valid: "each key once"})
			continue
		}
		first[name] = true
		n.members = append(n.members, member{name, offset, value})
	}
	p.next()
}

// refuseReplaced finds half a surrogate pair, which encoding/json replaces, and
// what another program has replaced before.
func (p *parser) refuseReplaced(path string, offset int, text string) {
	if strings.ContainsRune(text, utf8.RuneError) {
		p.faults = append(p.faults, fault{offset: offset, err: fmt.Errorf("%q holds half a surrogate pair, or U+FFFD, the sign for what was lost", path)})
	}
}
