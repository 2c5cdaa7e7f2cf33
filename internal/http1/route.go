package http1

import (
	"strconv"

	"go-proxy/internal/hop"
)

// route is what a request is told on its way: whom it is for and whom from.
type route struct {
	host   string // the backend's own
	prefix string // of every target
	from   *peer
}

// peer is what is known of a client.
type peer struct {
	addr    string // without the port
	proto   string // that it speaks: http or https
	trusted bool   // what it says of the hops before is believed
}

// appendTo appends the head that a backend is sent. Hop-by-hop and nominated
// fields, and what strangers claim, are left out first; then comes what the
// proxy says itself, so that no client can nominate it away (CVE-2022-31813);
// and the framing last.
func (h *requestHead) appendTo(dst []byte, r *route) []byte {
	dst = append(append(dst, h.method...), ' ')
	target, _ := hop.Target(h.method, h.target)
	dst = hop.AppendTarget(dst, h.method, r.prefix, target)
	dst = appendField(append(dst, " HTTP/1.1\r\n"...), "Host", r.host)
	for i := range h.fields {
		if f := &h.fields[i]; h.passes(f, r) {
			dst = appendField(dst, f.name, f.value)
		}
	}
	dst = h.appendForwarding(dst, r)
	dst = h.appendOwn(dst)
	return append(h.appendFraming(dst), "\r\n"...)
}

func (h *requestHead) passes(f *field, r *route) bool {
	switch f.known {
	case hop.Host, hop.ContentLength, hop.XForwardedFor, hop.XForwardedHost, hop.XForwardedProto:
		return false
	case hop.OtherForwarding:
		return r.from.trusted && !h.nominated(f)
	}
	return !f.known.HopByHop() && !h.nominated(f)
}

// appendForwarding says who the client is, behind what a trusted one says.
func (h *requestHead) appendForwarding(dst []byte, r *route) []byte {
	dst = h.appendSaid(append(dst, "X-Forwarded-For: "...), hop.XForwardedFor, r.from)
	dst = append(append(dst, r.from.addr...), "\r\n"...)
	dst = h.appendClaim(dst, "X-Forwarded-Host: ", hop.XForwardedHost, h.host, r.from)
	return h.appendClaim(dst, "X-Forwarded-Proto: ", hop.XForwardedProto, []byte(r.from.proto), r.from)
}

// appendClaim appends a field with what a trusted peer says, or else what is so
// on this hop. Nothing is appended where there is nothing to say: HTTP/1.0 need
// not name a host.
func (h *requestHead) appendClaim(dst []byte, name string, f hop.Field, own []byte, from *peer) []byte {
	claim := append(dst, name...)
	said := h.appendSaid(claim, f, from)
	switch {
	case len(said) > len(claim):
		claim = said[:len(said)-len(", ")]
	case len(own) > 0:
		claim = append(claim, own...)
	default:
		return dst
	}
	return append(claim, "\r\n"...)
}

// appendSaid appends the values of a trusted peer's forwarding field, with a
// comma behind each, unless Connection says to ignore it.
func (h *requestHead) appendSaid(dst []byte, known hop.Field, from *peer) []byte {
	if !from.trusted {
		return dst
	}
	for i := range h.fields {
		if f := &h.fields[i]; f.known == known && len(f.value) > 0 && !h.nominated(f) {
			dst = append(append(dst, f.value...), ", "...)
		}
	}
	return dst
}

// appendOwn appends what the proxy says to the backend as to its next hop: of
// TE and Upgrade only what this hop can do.
func (h *requestHead) appendOwn(dst []byte) []byte {
	for i := range h.fields {
		if f := &h.fields[i]; f.known == hop.TE && hop.HasToken(f.value, "trailers") {
			dst = append(dst, "TE: trailers\r\n"...)
			break
		}
	}
	if len(h.offer) > 0 {
		dst = appendField(dst, "Connection", "Upgrade")
		dst = appendField(dst, "Upgrade", h.offer)
	}
	return dst
}

func (h *requestHead) appendFraming(dst []byte) []byte {
	if h.chunked {
		return append(h.appendTrailer(dst), "Transfer-Encoding: chunked\r\n"...)
	}
	return appendLength(dst, h.length)
}

// appendTrailer announces the trailers that may pass.
func (m *message) appendTrailer(dst []byte) []byte {
	for i := range m.fields {
		if m.fields[i].known != hop.Trailer {
			continue
		}
		line := append(dst, "Trailer: "...)
		if named := hop.AppendTrailer(line, m.fields[i].value); len(named) > len(line) {
			dst = append(named, "\r\n"...)
		}
	}
	return dst
}

// appendLength appends a length there is.
func appendLength(dst []byte, n int64) []byte {
	if n < 0 {
		return dst
	}
	dst = strconv.AppendInt(append(dst, "Content-Length: "...), n, 10)
	return append(dst, "\r\n"...)
}

func appendField[N, V hop.Text](dst []byte, name N, value V) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}
