package http1

import "math"

// body is content on its way from one connection to another: taken out of the
// framing that it comes in, to be framed anew.
type body struct {
	framing  framing
	left     int64 // of a length
	chunks   chunks
	trailers []field // once it is done; views, until more is read
	passed   int64   // bytes of content
	done     bool    // all has come, as the framing says
	fault    fault   // what it is, for good; "": none so far
}

func (b *body) start(f framing, length int64) {
	*b = body{framing: f, left: length, trailers: b.trailers[:0], done: f == noBody}
}

// bounds of a section.
type bounds struct {
	lines int
	bytes int
}

// take consumes what of the body has been read, and returns its content, but for
// what is in the pipe. With a fault it returns what came before that.
func (b *body) take(from *conn, most bounds) (content []byte, f fault) {
	in, data := from.in, from.in.data()
	switch {
	case b.fault != "":
		return nil, b.fault
	case from.pipe != nil:
		b.count(from.pipe.held)
	case b.done || len(data) == 0:
		return nil, ""
	case b.framing == byChunks:
		var n int
		content, n, f = b.chunks.next(data)
		in.consume(n)
		if f == "" && b.chunks.state == inTrailers {
			f = b.takeTrailers(in, most)
		}
	default:
		content = data[:min(b.plain(), int64(len(data)))]
		in.consume(len(content))
	}
	b.count(len(content))
	b.fault = f
	return content, f
}

func (b *body) count(n int) {
	b.passed += int64(n)
	if b.framing == byLength {
		b.left -= int64(n)
		b.done = b.left == 0
	}
}

// plain is how much may be to come with no framing in between.
func (b *body) plain() int64 {
	switch b.framing {
	case byLength:
		return b.left
	case untilClose:
		return math.MaxInt64
	}
	return 0
}

func (b *body) takeTrailers(in *buffer, most bounds) (f fault) {
	section := in.data()
	end, _ := sectionEnd(section, 0)
	if end > most.bytes || end < 0 && len(section) > most.bytes {
		return longTrailers
	}
	if end < 0 {
		return ""
	}
	b.trailers, f = appendTrailers(b.trailers, section[:end], most.lines)
	in.consume(end)
	b.done = f == ""
	return f
}

// appendChunked appends content in chunks, and their end when that has come.
func (b *body) appendChunked(dst, content []byte) []byte {
	dst = appendChunk(dst, content)
	if b.done {
		dst = appendLastChunk(dst, b.trailers)
	}
	return dst
}
