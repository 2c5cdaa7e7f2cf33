// Package proxy is the net/http plane: an http.Handler in front, and behind it
// one httputil.ReverseProxy with one http.Transport per backend.
//
// It owns the way of one request: what is refused, what is changed on the way,
// what a failed attempt means. It does not choose backends (pool), does not
// know what HTTP allows per hop (hop), and neither listens nor drains (server).
//
// A request's way:
//
//	ServeHTTP    opens the exchange, and ends it with exactly one Record
//	refuse       what must not be forwarded is answered here
//	forward      takes a lease; the outcome goes back with it
//	rewrite      the request as this backend is to see it
//	RoundTrip    http.Transport, and what it does not check in an answer
//	response     the way back to the client, or a tunnel
//
// # What this plane cannot do
//
// Some faults happen before net/http calls a handler, or inside
// http.Transport, and cannot be mended around them. They are left to a plane
// of our own:
//
//   - A backend that sends bytes behind its response can have them taken for
//     the answer to another request: http.Transport returns a connection to its
//     pool before it looks for them.
//   - A request with both Content-Length and Transfer-Encoding is accepted, and
//     its connection is used again.
//   - Errors in a request head are answered by net/http: they leave no Record,
//     and a head that comes too slowly gets no 408.
//   - A target with a bad escape in its path, like /%zz, is refused.
//   - The limit on a request head has 4 KiB of slack as far as net/http counts;
//     what comes through is counted again, without blanks around values.
//   - In a target that begins with // bytes that no URI may hold, like {, are
//     escaped on the way; elsewhere every byte passes as it is.
//   - A part of a chunk waits until the chunk is complete: net/http reads chunks
//     whole as far as its buffer goes.
//   - Of a response whose Connection field holds close, the other fields that it
//     nominates are not removed: http.Transport has removed that one.
//   - A backend that ends the connection behind half a response head, while the
//     client pauses its upload, is noticed when that goes on or times out.
//   - Keep-alive is not offered to HTTP/1.0 clients: net/http does not tell whether
//     they sent chunks, which it takes for the next request.
//   - A client that leaves while its request, with a body, waits for its place
//     among those in flight is noticed when that wait ends.
//   - A login bound to a backend's connection (NTLM) does not work.
//   - A client that sends a FIN and still waits for its answer counts as gone.
package proxy
