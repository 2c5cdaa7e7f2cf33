package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes takes networks and single addresses, comma separated; an array in
// the file.
func Prefixes(dst *[]netip.Prefix) Type {
	get := func() any {
		texts := make([]string, len(*dst))
		for i, prefix := range *dst {
			texts[i] = prefix.String()
		}
		return texts
	}
	return Type{Valid: "networks or addresses, comma separated, such as 10.0.0.0/8,::1", Get: get,
		Set: func(value string) (err error) {
			prefixes, err := parsePrefixes(value)
			if err == nil {
				*dst = prefixes
			}
			return err
		},
		InFile: `an array of networks or addresses, such as ["10.0.0.0/8", "::1"]`,
		JSON:   Schema{"type": "array", "items": Schema{"type": "string"}},
		setList: func(list *node) []fault {
			prefixes, faults := prefixesIn(list)
			if len(faults) == 0 {
				*dst = prefixes
			}
			return faults
		},
	}
}

func parsePrefixes(value string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var errs []string
	for _, item := range listItems(value) {
		prefix, err := parsePrefix(item)
		if err != nil {
			errs = append(errs, fmt.Sprintf("%q %v", item, err))
		}
		prefixes = append(prefixes, prefix)
	}
	if len(errs) > 0 {
		return nil, errors.New(strings.Join(errs, ", "))
	}
	return prefixes, nil
}

// prefixesIn is parsePrefixes for an array of the file.
func prefixesIn(array *node) (prefixes []netip.Prefix, faults []fault) {
	add := func(text string) error {
		prefix, err := parsePrefix(text)
		prefixes = append(prefixes, prefix)
		return err
	}
	for _, item := range array.items {
		faults = append(faults, item.set(Type{Valid: "a network or an address, such as 10.0.0.0/8 or ::1", Set: add})...)
	}
	return prefixes, faults
}

// parsePrefix writes IPv4 networks in IPv4's way: a peer's address is compared
// so.
func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, errNoPrefix
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errNoPrefix
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

var errNoPrefix = errors.New("is neither a network nor an address")

// listItems splits at commas; blanks and empty items do not count.
func listItems(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
