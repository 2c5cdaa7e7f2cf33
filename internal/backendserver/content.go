package backendserver

import (
	"io"
	"strings"
)

// line repeats to make pseudo content. Its 61 bytes are prime, so that a
// buffer lost or sent twice on the way shifts what follows.
const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX\n"

var block = strings.Repeat(line, 1024)

// Content is what an answer with size=... consists of: size bytes, the same
// each time, made while they are read.
func Content(size int64) io.Reader { return &content{size: size} }

type content struct{ size, offset int64 }

func (c *content) Read(p []byte) (int, error) {
	if c.offset >= c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.offset)]
	n := copy(p, block[c.offset%int64(len(line)):])
	c.offset += int64(n)
	return n, nil
}
