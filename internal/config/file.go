package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// MaxFile bounds the size of a configuration file.
const MaxFile = 1 << 20

// Contents reads a configuration file. A pipe or a terminal is none: it could
// keep its reader waiting, and cannot be read again.
func Contents(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = fmt.Errorf("larger than %s", sizeText(MaxFile))
	}
	return text, err
}

// file is a configuration file that was read.
type file struct {
	name   string
	text   []byte
	values map[string]*node // by the key of a row
	faults []fault
}

// readFile reads the file and finds what it has for the rows of the table. The
// error is about the file as a whole.
func readFile(path string, table []Setting) (*file, error) {
	text, err := Contents(path)
	if err != nil {
		if known, ok := errors.AsType[*fs.PathError](err); ok {
			err = known.Err // the path is told with it
		}
		return nil, err
	}
	// Editors on Windows begin with a byte order mark, which RFC 8259, 8.1 lets
	// a reader ignore.
	f := &file{name: path, text: bytes.TrimPrefix(text, []byte("\ufeff")), values: make(map[string]*node)}
	if quoted := strconv.Quote(path); quoted != `"`+path+`"` {
		f.name = quoted
	}
	root, faults := parse(f.text)
	f.faults = faults
	if root != nil {
		f.walk(table, root)
	}
	return f, nil
}

// schemaKey is where editors look for the schema; it means nothing to us.
const schemaKey = "$schema"

// walk finds the values of rows in an object. Each of its keys is that of a row
// or the name of a group of rows.
func (f *file) walk(table []Setting, object *node) {
	if object.kind != "object" {
		f.faults = append(f.faults, object.wrongKind(Schema{"type": "object"}, "the keys "+keysIn(table, object.path)))
		return
	}
	for _, m := range object.members {
		path := m.value.path
		switch {
		case path == schemaKey:
		case m.name == "" || strings.Contains(m.name, "."): // which would make the path another's
			f.faults = append(f.faults, unknownKey(table, object.path, m))
		case slices.ContainsFunc(table, func(s Setting) bool { return s.FileKey() == path }):
			f.values[path] = m.value
		case slices.ContainsFunc(table, func(s Setting) bool { return strings.HasPrefix(s.FileKey(), path+".") }):
			f.walk(table, m.value)
		default:
			f.faults = append(f.faults, unknownKey(table, object.path, m))
		}
	}
}

// unknownKey tells what may have been meant, or else what there is.
func unknownKey(table []Setting, group string, m member) fault {
	unknown := fault{offset: m.offset, err: fmt.Errorf("unknown key %q", m.value.path), hint: suggestKey(table, m.value.path)}
	switch unknown.hint {
	case "":
		unknown.valid = keysIn(table, group)
	case m.value.path: // one name with a dot
		in, own := splitKey(unknown.hint)
		unknown.hint = fmt.Sprintf("%s within %s", own, in)
	}
	return unknown
}

// keysIn names what may be in an object, in the order of the table.
func keysIn(table []Setting, group string) string {
	var names []string
	for _, s := range table {
		rest, within := strings.CutPrefix("."+s.FileKey(), strings.TrimSuffix("."+group, ".")+".")
		name, _, _ := strings.Cut(rest, ".")
		if within && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// set gives a row the value that the file has for it, and says where that is.
func (f *file) set(s Setting) (origin Origin, found bool) {
	n, found := f.values[s.Key]
	if !found {
		return Origin{}, false
	}
	faults := n.set(s.Type)
	for i := range faults {
		faults[i].key = s.Key
		faults[i].value = s.shown(faults[i].value)
	}
	f.faults = append(f.faults, faults...)
	origin = f.origin(n)
	for _, item := range n.items {
		origin.items = append(origin.items, f.origin(item))
	}
	return origin, len(faults) == 0
}

func (f *file) origin(n *node) Origin {
	source, excerpt := f.locate(n.offset)
	return Origin{Source: source, Value: n.text, Excerpt: excerpt}
}

// set gives a type's destination the value of the node.
func (n *node) set(t Type) []fault {
	if !t.JSON.takes(n.kind) {
		return []fault{n.wrongKind(t.JSON, t.validInFile())}
	}
	if t.setList != nil {
		return t.setList(n)
	}
	if err := t.Set(n.text); err != nil {
		return []fault{{offset: n.offset, value: n.text, err: err, valid: t.validInFile(), hint: suggest(n.text, t.JSON.names())}}
	}
	return nil
}

// wrongKind is the fault of a value that is not of one of the schema's types.
func (n *node) wrongKind(wanted Schema, valid string) fault {
	hint := ""
	switch {
	case n.kind == "string" && wanted.takes("boolean"):
		hint = map[string]string{"on": "true", "true": "true", "off": "false", "false": "false"}[n.text]
	case n.kind == "string" && wanted.takes("number"):
		if _, err := strconv.Atoi(n.text); err == nil {
			hint = n.text
		}
	}
	return fault{offset: n.offset, err: fmt.Errorf("%s, where %s belongs", kindText(n.kind), wanted.kinds()), valid: valid, hint: hint}
}

// problems are the faults, in the order of the file.
func (f *file) problems() Problems {
	slices.SortStableFunc(f.faults, func(a, b fault) int { return cmp.Compare(a.offset, b.offset) })
	var ps Problems
	for _, w := range f.faults {
		source, excerpt := f.locate(w.offset)
		ps = append(ps, Problem{Key: w.key, Source: source, Value: w.value, Err: w.err, Valid: w.valid, Hint: w.hint, Excerpt: excerpt})
	}
	return ps
}

// locate says where an offset is, and shows it.
func (f *file) locate(offset int) (source, shown string) {
	line, column, whole := place(f.text, offset)
	return fmt.Sprintf("%s:%d:%d", f.name, line, column), excerpt(whole, column)
}
