// Package internal is the map of the code; there is nothing else in it.
//
//	app            puts the proxy together and runs it; the only one that knows all
//	backendserver  the sample backend, a program of its own
//
//	server         the listening address, the clients' connections, the drain
//	health         probes every backend and reports to the pool
//	resolve        the addresses of the backends' names
//	proxy          forwards requests: the net/http plane
//	http1          forwards requests: our own HTTP/1.1, the hot path
//	accesslog      one line for every exchange
//
//	exchange       the Record of one request, handed to observers at its end
//	pool           the backends: which is alive, which is next
//	hop            the facts of HTTP where a message passes on
//	netconn        a connection whose writes must make progress
//	socket         reads, writes and accepts at less cost than package net
//	config         settings from a file, the environment and flags
//
//	testkit        peers that tests misbehave with
//
// A package imports only from groups below its own, never sideways, but for
// exchange, which may use hop and pool: scripts/check holds that. What a package needs
// of a sibling, app passes in as a func or a small interface.
//
// A request comes in through server, is taken by a plane, which asks pool for a
// lease of a backend, forwards by the rules of hop, gives the lease back with
// what it learned, and hands the exchange's Record to accesslog. A change of
// health comes from health or from a failed request to pool, and out of it to
// app, which logs it, drops idle connections and asks health to look again. A
// change of the configuration, or of a name's addresses, is made by one
// goroutine of app: to pool, then to proxy and health, which follow pool; what a
// removed backend has in flight is then drained.
package internal
