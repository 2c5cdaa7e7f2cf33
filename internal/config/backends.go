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
	Weight int  // its part of the traffic, relative to the others', up to MaxWeight; 0: 1
	Backup bool // takes traffic only while every backend that is none is down
	Drain  bool // takes no new traffic

	MaxInFlight int // requests at a time; 0: as Bounds say
}

// Port is the URL's, or its scheme's own.
func (b Backend) Port() string {
	if port := b.URL.Port(); port != "" {
		return port
	}
	return strconv.Itoa(ownPort[b.URL.Scheme])
}

var ownPort = map[string]int{"http": 80, "https": 443}

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
