package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Text takes any value that check, if given, has nothing against.
func Text(dst *string, valid string, check func(string) error) Type {
	set := func(value string) error {
		if check != nil {
			if err := check(value); err != nil {
				return err
			}
		}
		*dst = value
		return nil
	}
	return Type{Valid: valid, Set: set, Get: func() any { return *dst }}
}

// Address takes host:port; the host may be empty, the port may be 0.
func Address(dst *string) Type {
	t := Text(dst, "host:port or :port, such as :9000 or 127.0.0.1:9000", func(value string) error {
		_, port, err := net.SplitHostPort(value)
		if err != nil {
			return errors.New("not host:port")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("port %q is not a number from 0 to 65535", port)
		}
		return nil
	})
	t.JSON = Schema{"type": "string", "pattern": ":[+0-9]+$"}
	return t
}

// Duration takes a Go duration above 0.
func Duration(dst *time.Duration) Type {
	set := func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return errors.New("not a duration")
		}
		if d <= 0 {
			return errors.New("not above 0")
		}
		*dst = d
		return nil
	}
	return Type{Valid: "a duration above 0, such as 10s or 1m30s", Set: set,
		Get:  func() any { return durationText(*dst) },
		JSON: Schema{"type": "string", "pattern": `^[+]?(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`}}
}

// DurationOrOff takes a Duration, or "off" and stores 0.
func DurationOrOff(dst *time.Duration) Type { return orOff(dst, Duration(dst)) }

// orOff takes what t takes, too.
func orOff[N time.Duration | float64 | int](dst *N, t Type) Type {
	set, get := t.Set, t.Get
	t.Valid += ", or off"
	t.Set = func(value string) error {
		if value == "off" {
			*dst = 0
			return nil
		}
		return set(value)
	}
	t.Get = func() any {
		if *dst == 0 {
			return "off"
		}
		return get()
	}
	t.JSON = t.JSON.with("pattern", "^off$|"+t.JSON["pattern"].(string))
	return t
}

// durationText leaves out the zeros that String has in "1h0m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Int takes a whole number from low to high.
func Int(dst *int, low, high int) Type {
	set := func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return errors.New("not a whole number")
		}
		if n < low || n > high {
			return errors.New("out of range")
		}
		*dst = n
		return nil
	}
	return Type{Valid: fmt.Sprintf("a whole number from %d to %d", low, high), Set: set,
		Get:  func() any { return *dst },
		JSON: Schema{"type": "integer", "minimum": low, "maximum": high}}
}

// IntOrOff takes an Int, or "off" and stores 0. In the file the number may be
// in quotes, too.
func IntOrOff(dst *int, low, high int) Type {
	t := Int(dst, low, high)
	t.JSON = t.JSON.with("type", []string{"string", "integer"}).with("pattern", "^[+]?[0-9]+$")
	return orOff(dst, t)
}

// Percent takes "0%" to "50%" and stores the fraction.
func Percent(dst *float64) Type { return percentage(dst, 0, 50, 10) }

// Bound takes a percentage above that of an even share and stores the multiple,
// or "off" and stores 0.
func Bound(dst *float64) Type { return orOff(dst, percentage(dst, 101, 1000, 125)) }

func percentage(dst *float64, low, high, such float64) Type {
	set := func(value string) error {
		number, found := strings.CutSuffix(value, "%")
		if !found {
			return errors.New("no % at the end")
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(n) {
			return errors.New("not a number before the %")
		}
		if n < low || n > high {
			return errors.New("out of range")
		}
		*dst = n / 100
		return nil
	}
	return Type{Valid: fmt.Sprintf("a percentage from %v%% to %v%%, such as %v%%", low, high, such), Set: set,
		Get:  func() any { return percentText(*dst) },
		JSON: Schema{"type": "string", "pattern": "%$"}}
}

// percentText is the shortest text that is read back as the share: 0.07*100 is
// not 7.
func percentText(share float64) string {
	for digits := range 20 {
		text := strconv.FormatFloat(share*100, 'f', digits, 64)
		if n, _ := strconv.ParseFloat(text, 64); n/100 == share {
			return text + "%"
		}
	}
	return strconv.FormatFloat(share*100, 'g', -1, 64) + "%"
}

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

// Size takes a number of bytes from low to high, with or without a unit.
func Size(dst *int64, low, high int64) Type {
	valid := fmt.Sprintf("a size from %s to %s, such as 64KiB or 1MiB", sizeText(low), sizeText(high))
	set := func(value string) error {
		n, err := parseSize(value)
		if err != nil {
			return err
		}
		if n < low || n > high {
			return errors.New("out of range")
		}
		*dst = n
		return nil
	}
	return Type{Valid: valid, Set: set,
		Get:  func() any { return sizeText(*dst) },
		JSON: Schema{"type": []string{"string", "integer"}, "pattern": "^[+]?[0-9]+(B|KiB|MiB|GiB)?$", "minimum": low, "maximum": high}}
}

func parseSize(value string) (int64, error) {
	for _, unit := range sizeUnits {
		number, found := strings.CutSuffix(value, unit.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, errors.New("not a size")
		}
		if n < 0 || n > math.MaxInt64/unit.bytes {
			return 0, errors.New("out of range")
		}
		return n * unit.bytes, nil
	}
	return 0, errors.New("not a size")
}

func sizeText(n int64) string {
	for _, unit := range []int{2, 1, 0} { // GiB, MiB, KiB
		if u := sizeUnits[unit]; n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// Switch takes on or off; true or false in the file.
func Switch(dst *bool) Type {
	set := func(value string) error {
		if value != "on" && value != "off" {
			return errors.New("neither on nor off")
		}
		*dst = value == "on"
		return nil
	}
	return Type{Valid: "on or off", Set: set, Get: func() any { return *dst },
		InFile: "true or false", JSON: Schema{"type": "boolean"}}
}

// Option is a Switch that a flag without a value turns on.
func Option(dst *bool) Type {
	t := Switch(dst)
	t.Bare = "on"
	return t
}

// switchText is what a Switch takes.
func switchText(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// OneOf takes one of the names.
func OneOf(dst *string, names ...string) Type {
	valid := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	t := Text(dst, valid, func(value string) error {
		if !slices.Contains(names, value) {
			return errors.New("not known")
		}
		return nil
	})
	t.JSON = Schema{"type": "string", "enum": names}
	return t
}
