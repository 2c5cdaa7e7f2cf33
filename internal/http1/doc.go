// Package http1 is the HTTP/1.1 plane: our own reading and writing of the
// protocol on both sides, for what net/http does not refuse (a second answer
// behind the first, two lengths in one head) and for what it costs.
//
// # The story of a connection
//
// A client's connection has one goroutine, from its first byte on (begin), which
// then serves another (crew). It is a loop without callbacks:
//
//	serve        until a request is the last of its connection
//	  run        the story of an exchange
//	    readHead   a whole head, or an answer why not
//	    refuse     what must not be forwarded
//	    forward    a lease of a backend, given back with what was learned
//	      compose    the head as that backend is to see it
//	      attempt    over one connection; a stale one is replaced
//	        send       head, and what of the body has come with it; where that
//	                   is all, the first of the response is awaited here (ask)
//	        receive    the response head; 1xx are passed on
//	        deliver    the response, as it comes; or a tunnel
//	        dismiss    the backend's connection: kept or closed
//	    answer     where there was no response
//	    finish     the one record
//
// A second goroutine is there only while a request body is still coming
// (sendBody), so that an early answer is not missed, and for one direction of
// a tunnel.
//
// # Bytes
//
// The codec is pure functions over bytes: requestHead and responseHead are
// views into the buffer that was read into, in the order of arrival; chunks
// reads the chunked coding; appendTo and its kin write what goes on. Nothing is
// forwarded as it came: what was parsed is written anew, so that it is read in
// one way. Views hold until more is read into their buffer.
//
// Where much is to come that goes on as it is, from one socket to another, it
// goes by a pipe of the kernel's instead of a buffer (readFor, passOn).
//
// A connection holds a buffer only while there is something in it: one that
// waits tries to read, gives the buffer back, and sleeps. Only what TLS reads
// waits with one.
//
// # Time
//
// Every wait has a limit and a cause (waitFor). Nobody sets a deadline for it:
// a wait is marked with the tick it began in, and the sweeper, which looks at
// all connections four times a second, ends those that are overdue. It also
// sees clients that have left while their backend is waited for, idle
// connections that a backend has closed, and keeps the date. How often it looks
// is up to the shortest time there is at the start: one that a reload makes
// shorter than a second may end half a second late.
//
// # When a backend's connection is used again
//
// Only if the request was sent whole, the response ended by its own framing,
// and nothing is buffered or readable behind it (dismiss, quiet, ask). That is what
// keeps one client's answer from another.
package http1
