// Package bench measures what the hot path costs.
//
// Here are the Go benchmarks and the budgets of allocations, which are tests.
// That of one exchange without sockets is beside the handler, in
// internal/proxy. The folders are programs, which scripts/ builds and runs:
//
//	scenarios  loads the proxy with hey, one situation after the other
//	peers      compares it with nginx, HAProxy, Caddy and plain httputil, in
//	           one shape of load after the other
//	backend    what is behind the proxies: cheap enough not to matter
//	plain      the plainest proxy that one can write
//	profiled   the proxy with a CPU profile, for `make pgo`
//	lab        what they share: processes on a core, load, statistics, tables
package bench
