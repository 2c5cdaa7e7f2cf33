package config

import (
	"errors"
	"net/textproto"
	"strings"
)

// HashKey is the part of a request that decides where consistent_hash sends it.
type HashKey struct {
	Part KeyPart
	Name string // of a field, in its canonical form, of a cookie or of a query parameter
}

// KeyPart is a kind of part.
type KeyPart string

// The parts that requests have.
const (
	KeyClientAddress KeyPart = "client_address"
	KeyPath          KeyPart = "path"
	KeyHeader        KeyPart = "header"
	KeyCookie        KeyPart = "cookie"
	KeyQuery         KeyPart = "query"
)

// String is the key as a value of the setting.
func (k HashKey) String() string {
	if k.Name == "" {
		return string(k.Part)
	}
	return string(k.Part) + ":" + k.Name
}

// hashKey takes a part, and the name that it goes by.
func hashKey(dst *HashKey) Type {
	set := func(value string) error {
		part, name, named := strings.Cut(value, ":")
		key := HashKey{KeyPart(part), name}
		if err := key.check(named); err != nil {
			return err
		}
		if key.Part == KeyHeader {
			key.Name = textproto.CanonicalMIMEHeaderKey(name)
		}
		*dst = key
		return nil
	}
	return Type{Valid: "client_address, path, header:NAME, cookie:NAME or query:NAME", Set: set,
		Get:  func() any { return dst.String() },
		JSON: Schema{"type": "string", "pattern": "^(client_address|path|(header|cookie):[-!#$%&'*+.^_`|~0-9A-Za-z]+|query:[!\"$%'-<>-~]+)$"}}
}

// check is what is wrong with the key, or nil.
func (k HashKey) check(named bool) error {
	switch k.Part {
	case KeyClientAddress, KeyPath:
		if named {
			return errors.New("has a name, where there is only one")
		}
		return nil
	case KeyHeader, KeyCookie: // both are tokens (RFC 9110, 5.1; RFC 6265, 4.1.1)
		if k.Name == "" || strings.ContainsFunc(k.Name, notToken) {
			return errors.New("has no name that a field or a cookie can have")
		}
		return nil
	case KeyQuery:
		if k.Name == "" || strings.ContainsAny(k.Name, "&=#") || strings.ContainsFunc(k.Name, notGraphic) {
			return errors.New("has no name that a parameter can have")
		}
		return nil
	}
	return errors.New("not known")
}

// notToken is for what RFC 9110, 5.6.2 leaves out.
func notToken(r rune) bool {
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

func notGraphic(r rune) bool { return r <= ' ' || r >= 0x7f }
