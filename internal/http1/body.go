package http1

// body is content on its way from one connection to another: taken out of the
// framing that it comes in, to be framed anew.
type body struct {
	framing  framing
	left     int64 // of a length
	chunks   chunks
	trailers []field // once it is done; views, until more is read
	passed   int64   // bytes of content
	done     bool    // all has come, as the framing says
}

func (b *body) start(f framing, length int64) {
	*b = body{framing: f, left: length, trailers: b.trailers[:0], done: f == noBody}
}

// bounds of a section.
type bounds struct {
	lines int
	bytes int
}

// take consumes what of the body is in the buffer, and returns its content.
// With a fault it returns what came before that.
func (b *body) take(in *buffer, most bounds) (content []byte, f fault) {
	data := in.data()
	switch {
	case b.done || len(data) == 0:
		return nil, ""
	case b.framing == byLength:
		content = data[:min(b.left, int64(len(data)))]
		in.consume(len(content))
		b.left -= int64(len(content))
		b.done = b.left == 0
	case b.framing == byChunks:
		var n int
		content, n, f = b.chunks.next(data)
		in.consume(n)
		if f == "" && b.chunks.state == inTrailers {
			f = b.takeTrailers(in, most)
		}
	default:
		content = data
		in.consume(len(data))
	}
	b.passed += int64(len(content))
	return content, f
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
