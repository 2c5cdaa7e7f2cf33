package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Words takes any of the words, each once, comma separated; an array in the
// file, in which those that are numbers may stand as such. "none" is none of
// them.
func Words(dst *[]string, such string, words ...string) Type {
	one := func(into *[]string) func(string) error {
		return func(word string) error {
			switch {
			case !slices.Contains(words, word):
				return errors.New("not known")
			case slices.Contains(*into, word):
				return errors.New("is there twice")
			}
			*into = append(*into, word)
			return nil
		}
	}
	item := Schema{"type": []string{"string", "integer"}}
	return Type{
		Valid:  fmt.Sprintf("%s, comma separated, each once, or none", such),
		InFile: fmt.Sprintf("an array of %s, each once", such),
		Get:    func() any { return append([]string{}, *dst...) },
		Set: func(value string) error {
			all, err := eachWord(value, one)
			if err == nil {
				*dst = all
			}
			return err
		},
		JSON: Schema{"type": "array", "items": item},
		setList: func(list *node) (faults []fault) {
			var all []string
			for _, n := range list.items {
				faults = append(faults, n.set(Type{Valid: such, Set: one(&all), JSON: item})...)
			}
			if len(faults) == 0 {
				*dst = all
			}
			return faults
		},
	}
}

func eachWord(value string, one func(*[]string) func(string) error) (all []string, err error) {
	if value == "none" {
		return nil, nil
	}
	var errs []string
	for _, item := range listItems(value) {
		if err := one(&all)(item); err != nil {
			errs = append(errs, fmt.Sprintf("%q %v", item, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.New(strings.Join(errs, ", "))
	}
	return all, nil
}

// serverErrors are the statuses of RFC 9110, 15.6, and those that may join them.
func serverErrors() (statuses []string) {
	for status := 500; status < 600; status++ {
		statuses = append(statuses, fmt.Sprint(status))
	}
	return statuses
}
