package http1

import (
	"bytes"
	"math"

	"go-proxy/internal/hop"
)

// chunks reads the chunked coding (RFC 9112, 7.1), a piece at a time as it
// comes. It takes CRLF for the end of a line and nothing else, since what a
// lenient reader takes for one hides a chunk from a strict one.
type chunks struct {
	state  chunkState
	size   int64 // of the chunk, or what is left of it
	digits int
	excess int // bytes of extensions that no content has paid for
}

type chunkState uint8

const (
	inSize     chunkState = iota
	behindSize            // blanks, which may come before an extension
	inExtension
	afterSize // its CR has come
	inData
	afterData   // a CR must come
	afterDataCR // an LF must come
	inTrailers  // the last chunk has come
)

const (
	maxDigits  = 16
	freeExcess = 16 << 10
)

// next takes the coding from p. It moves the content in p together and
// returns it, and how much of p it has consumed: all, unless the last chunk
// has come and the trailer section follows, or there is a fault.
func (c *chunks) next(p []byte) (content []byte, consumed int, f fault) {
	start, end, i := 0, 0, 0
	for i < len(p) && c.state != inTrailers {
		if c.state != inData {
			if f := c.step(p[i]); f != "" {
				return p[start:end], i, f
			}
			i++
			continue
		}
		n := int(min(c.size, int64(len(p)-i)))
		if start == end {
			start, end = i, i
		}
		if end != i { // not the first chunk
			copy(p[end:], p[i:i+n])
		}
		end += n
		i += n
		c.excess = max(c.excess-n, 0)
		if c.size -= int64(n); c.size == 0 {
			c.state = afterData
		}
	}
	return p[start:end], i, ""
}

// step takes a byte that is no content.
func (c *chunks) step(b byte) fault {
	switch c.state {
	case inSize:
		return c.inSize(b)
	case behindSize, inExtension:
		return c.inExtension(b)
	case afterSize:
		c.digits, c.state = 0, inData
		if c.size == 0 {
			c.state = inTrailers
		}
		if b != '\n' {
			return badChunkSize
		}
	case afterData:
		c.state = afterDataCR
		if b != '\r' {
			return badChunkEnd
		}
	case afterDataCR:
		c.state = inSize
		if b != '\n' {
			return badChunkEnd
		}
	}
	return ""
}

func (c *chunks) inSize(b byte) fault {
	digit := hexValue(b)
	switch {
	case digit >= 0:
		if c.digits == maxDigits || c.size > math.MaxInt64>>4 {
			return badChunkSize
		}
		c.size = c.size<<4 | int64(digit)
		c.digits++
	case c.digits == 0:
		return badChunkSize
	case b == '\r':
		c.state = afterSize
	case b == ';':
		c.state = inExtension
	case hop.IsBlank(b):
		c.state = behindSize
	default:
		return badChunkSize
	}
	return ""
}

// inExtension passes over what nobody here understands (RFC 9112, 7.1.1), as
// long as it is not most of what comes.
func (c *chunks) inExtension(b byte) fault {
	c.excess++
	switch {
	case b == '\r':
		c.state = afterSize
	case c.state == behindSize && b == ';':
		c.state = inExtension
	case c.state == behindSize && !hop.IsBlank(b):
		return badChunkSize
	case b < ' ' && b != '\t' || b == 0x7f:
		return badChunkSize
	case c.excess > freeExcess:
		return costlyExtensions
	}
	return ""
}

func hexValue(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

// appendTrailers parses a trailer section. As everywhere in the coding, a line
// ends with CRLF.
func appendTrailers(fields []field, section []byte, limit int) ([]field, fault) {
	if bytes.Count(section, []byte("\n")) > bytes.Count(section, []byte("\r\n")) {
		return fields, badTrailers
	}
	return appendFields(fields, section, limit)
}
