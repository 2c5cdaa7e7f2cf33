package config

import (
	"errors"
	"fmt"
	"strings"
)

// MaxWeight bounds a backend's weight, and with it the tables that weights make.
const MaxWeight = 256

// Backends takes URLs, comma separated; in the file a list of URLs and objects
// that have one.
func Backends(dst *[]Backend) Type {
	set := func(value string) error {
		backends, err := parseBackends(value)
		if err != nil {
			return err
		}
		*dst = backends
		return nil
	}
	setList := func(list *node) []fault {
		backends, faults := backendsIn(list)
		if len(faults) == 0 {
			*dst = backends
		}
		return faults
	}
	get := func() any {
		all := make([]any, len(*dst))
		for i, b := range *dst {
			all[i] = b.inFile()
		}
		return all
	}
	return Type{Valid: "http:// or https:// URLs with a host, comma separated, each once",
		InFile: `an array of URLs, or of objects with a url, such as ["http://10.0.0.1:8080"]`,
		Set:    set, setList: setList, Get: get, JSON: backendsSchema(), Hide: hideQuery}
}

// inFile is the backend as the file has it. A URL that was taken holds nothing
// secret.
func (b Backend) inFile() any {
	if b.Weight <= 1 && !b.Backup && !b.Drain && b.MaxInFlight == 0 {
		return b.URL.String()
	}
	return struct {
		URL         string `json:"url"`
		Weight      int    `json:"weight"`
		Backup      bool   `json:"backup"`
		Drain       bool   `json:"drain"`
		MaxInFlight int    `json:"max_in_flight,omitempty"`
	}{b.URL.String(), b.Weight, b.Backup, b.Drain, b.MaxInFlight}
}

// settings is the table of what a backend has that is an object of the file.
func (b *Backend) settings(setURL func(string) error) []Setting {
	return []Setting{
		{Key: "url", Help: "URL of the backend; a path is a prefix", Type: Type{Set: setURL,
			Valid: "the URL of a backend, or an object with that as url",
			JSON:  Schema{"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://"}}},
		{Key: "weight", Default: "1", Type: Int(&b.Weight, 1, MaxWeight),
			Help: "its part of the traffic, relative to the others'"},
		{Key: "backup", Default: "off", Type: Switch(&b.Backup),
			Help: "takes traffic only while every backend that is none is down"},
		{Key: "drain", Default: "off", Type: Switch(&b.Drain),
			Help: "gets no new requests; those that it has end as they like"},
		{Key: "max_in_flight", Default: "off", Type: IntOrOff(&b.MaxInFlight, 1, 1e6),
			Help: "requests that it has at a time; off: as backend_max_in_flight says"},
	}
}

func backendsSchema() Schema {
	object := Schema{"required": []string{"url"}}
	properties := object.object()
	table := new(Backend).settings(nil)
	properties["url"] = table[0].JSON.with("description", table[0].Help)
	for _, s := range table[1:] {
		properties[s.Key] = s.schema()
	}
	return Schema{"type": "array", "minItems": 1, "items": Schema{"oneOf": []Schema{table[0].JSON, object}}}
}

func parseBackends(value string) ([]Backend, error) {
	var list backendList
	var errs []string
	for _, item := range listItems(value) {
		b := Backend{Weight: 1}
		if err := list.setURL(&b, item); err != nil {
			errs = append(errs, fmt.Sprintf("%q %v", hideQuery(item), err))
			continue
		}
		list.all = append(list.all, b)
	}
	if len(errs) > 0 {
		return nil, errors.New(strings.Join(errs, ", "))
	}
	if len(list.all) == 0 {
		return nil, errNoBackend
	}
	return list.all, nil
}

var errNoBackend = errors.New("names no backend")

// backendsIn is parseBackends for an array of the file.
func backendsIn(array *node) ([]Backend, []fault) {
	var list backendList
	var faults []fault
	for _, item := range array.items {
		b := Backend{Weight: 1}
		faults = append(faults, list.read(&b, item)...)
		list.all = append(list.all, b)
	}
	if len(array.items) == 0 {
		faults = append(faults, fault{offset: array.offset, err: errNoBackend, valid: "URLs of backends, or objects with a url"})
	}
	return list.all, faults
}

// backendList is a list in the making.
type backendList struct {
	all  []Backend
	seen map[string]bool
}

// read makes b what the item says: a URL, or an object with one.
func (l *backendList) read(b *Backend, item *node) (faults []fault) {
	table := b.settings(func(text string) error { return l.setURL(b, text) })
	if item.kind != "object" {
		return item.set(table[0].Type)
	}
	named := false
	for _, m := range item.members {
		row := rowOf(table, m.name)
		if row == nil {
			faults = append(faults, unknownKey(table, "", m))
			continue
		}
		named = named || row == &table[0]
		faults = append(faults, m.value.set(row.Type)...)
	}
	if !named && len(faults) == 0 { // else one of its keys was meant to be
		faults = append(faults, fault{offset: item.offset, err: errors.New("has no url"), valid: "an object with a url"})
	}
	return faults
}

func rowOf(table []Setting, key string) *Setting {
	for i := range table {
		if table[i].Key == key {
			return &table[i]
		}
	}
	return nil
}

func (l *backendList) setURL(b *Backend, text string) (err error) {
	if b.URL, err = parseBackend(text); err != nil {
		return err
	}
	name := b.URL.String()
	if l.seen[name] {
		return errors.New("is there twice")
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[name] = true
	return nil
}
