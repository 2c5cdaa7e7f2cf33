package lab

import (
	"bufio"
	"bytes"
	"errors"
	"strconv"
)

var errNoLength = errors.New("answer without Content-Length")

// ReadAnswer reads a response that has a Content-Length, allocating nothing,
// and returns its status: what measures should cost as little as it can.
func ReadAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if _, rest, _ := bytes.Cut(line, []byte(" ")); len(rest) >= 3 {
		status = int(rest[0]-'0')*100 + int(rest[1]-'0')*10 + int(rest[2]-'0')
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return status, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return status, err
			}
		}
	}
	if length < 0 {
		return status, errNoLength
	}
	_, err = r.Discard(length)
	return status, err
}
