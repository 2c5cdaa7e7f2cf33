package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Backend is one upstream server. Its URL is its identity.
type Backend struct {
	URL    *url.URL
	Weight int  // its part of the traffic, relative to the others'; 0: 1
	Backup bool // takes traffic only while none that is no backup is alive
}

// Port is the URL's, or its scheme's own.
func (b Backend) Port() string {
	if port := b.URL.Port(); port != "" {
		return port
	}
	return strconv.Itoa(ownPort[b.URL.Scheme])
}

var ownPort = map[string]int{"http": 80, "https": 443}

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
		urls := make([]string, len(*dst))
		for i, b := range *dst {
			urls[i] = b.URL.String()
		}
		return urls
	}
	return Type{Valid: "http:// or https:// URLs with a host, comma separated, each once",
		InFile: `an array of URLs, or of objects with a url, such as ["http://10.0.0.1:8080"]`,
		Set:    set, setList: setList, Get: get, JSON: backendsSchema, Hide: hideQuery}
}

var backendsSchema = Schema{"type": "array", "minItems": 1, "items": Schema{"oneOf": []Schema{
	{"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://"},
	{"type": "object", "additionalProperties": false, "required": []string{"url"}, "properties": Schema{
		"url": Schema{"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://", "description": "URL of the backend; a path is a prefix"},
	}},
}}}

func parseBackends(value string) ([]Backend, error) {
	var list backendList
	var errs []string
	for _, item := range listItems(value) {
		if err := list.add(item); err != nil {
			errs = append(errs, fmt.Sprintf("%q %v", hideQuery(item), err))
		}
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
		url, wrong := backendURL(item)
		faults = append(faults, wrong...)
		if url != nil {
			faults = append(faults, url.set(Type{Valid: "the URL of a backend, or an object with that as url", Set: list.add})...)
		}
	}
	if len(array.items) == 0 {
		faults = append(faults, fault{offset: array.offset, err: errNoBackend, valid: "URLs of backends, or objects with a url"})
	}
	return list.all, faults
}

// backendTable are the keys of a backend that is an object.
var backendTable = []Setting{{Key: "url"}}

// backendURL is the item, or what it has for a URL.
func backendURL(item *node) (url *node, faults []fault) {
	if item.kind != "object" {
		return item, nil
	}
	for _, m := range item.members {
		if m.name == "url" {
			url = m.value
		} else {
			faults = append(faults, unknownKey(backendTable, "", m))
		}
	}
	if url == nil && len(faults) == 0 { // else one of its keys was meant to be
		faults = append(faults, fault{offset: item.offset, err: errors.New("has no url"), valid: "an object with a url"})
	}
	return url, faults
}

// backendList is a list in the making.
type backendList struct {
	all  []Backend
	seen map[string]bool
}

func (l *backendList) add(text string) error {
	u, err := parseBackend(text)
	if err != nil {
		return err
	}
	if l.seen[u.String()] {
		return errors.New("is there twice")
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[u.String()] = true
	l.all = append(l.all, Backend{URL: u})
	return nil
}

// parseBackend normalises, so that two spellings of one backend are one.
func parseBackend(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("does not begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case strings.Contains(u.Host, ","):
		return nil, errors.New("has a comma in its host")
	case u.User != nil:
		return nil, errors.New("holds a user name, which is not supported")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("holds a query or a fragment")
	case u.RawPath != "" && u.RawPath != u.EscapedPath(): // which would also decode the %2C of a path, and a comma parts URLs
		return nil, errors.New("has bytes in its path that must be percent-encoded")
	}
	host, err := normalHost(u)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	if strings.HasPrefix(prefix, "//") {
		return nil, errors.New("has a path that begins with //")
	}
	return url.Parse(u.Scheme + "://" + host + prefix)
}

// normalHost leaves the scheme's own port out: the host is what a backend gets
// in Host (RFC 9110, 4.2.3).
func normalHost(u *url.URL) (string, error) {
	host := strings.ReplaceAll(strings.ToLower(u.Hostname()), "%", "%25") // before the zone of an IPv6 address
	own := ownPort[u.Scheme]
	port := own
	if text := u.Port(); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("has port %s, which is not from 1 to 65535", text)
		}
		port = n
	}
	if port != own {
		return net.JoinHostPort(host, strconv.Itoa(port)), nil
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]", nil
	}
	return host, nil
}
