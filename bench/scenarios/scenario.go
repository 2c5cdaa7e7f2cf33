package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go-proxy/bench/lab"
)

// scenario is one way to load the proxy.
type scenario struct {
	name        string
	plane       string
	connections int
	path        string
	hey         []string // more of its arguments
	dead        bool     // one of the backends is
	restarts    bool     // the backends are restarted one after the other
	time        time.Duration
}

func scenarios(d time.Duration) []scenario {
	all := []scenario{
		{name: "keep-alive, 64 connections", connections: 64},
		{name: "keep-alive, 500 connections", connections: 500},
		{name: "no keep-alive", connections: 64, hey: []string{"-disable-keepalive"}},
		{name: "64 KiB bodies", connections: 64, path: "bytes/65536"},
		{name: "POST of 1 KiB", connections: 64, hey: []string{"-m", "POST", "-d", strings.Repeat("x", 1024)}},
		{name: "one of three backends dead", connections: 64, dead: true},
		{name: "backends restarted", connections: 64, restarts: true},
	}
	for i := range all {
		all[i].time, all[i].plane = d, "http1"
	}
	for _, s := range all {
		s.plane = "nethttp"
		all = append(all, s)
	}
	return all
}

// args are hey's for a proxy at the address.
func (s scenario) args(addr string) []string {
	args := []string{"-z", s.time.String(), "-c", strconv.Itoa(s.connections)}
	return append(append(args, s.hey...), "http://"+addr+"/"+s.path)
}

// judge finds what a client should not have seen. While a backend restarts,
// the requests that are just on their way to it may get a 502, at most one for
// each connection; the next ones go to the others.
func (s scenario) judge(l lab.Load) error {
	allowed := map[int]int{}
	if s.restarts {
		allowed[http.StatusBadGateway] = s.connections * restarts(s.time)
	}
	if l.Errors > 0 {
		return fmt.Errorf("%d requests got no answer: %s", l.Errors, l.Message)
	}
	for _, status := range slices.Sorted(maps.Keys(l.Status)) {
		if n := l.Status[status]; status != http.StatusOK && n > allowed[status] {
			return fmt.Errorf("%d requests got a %d, allowed are %d", n, status, allowed[status])
		}
	}
	if l.Status[http.StatusOK] == 0 {
		return fmt.Errorf("no request succeeded")
	}
	return nil
}

// restarts is how many there are in the time of a scenario, one at least.
func restarts(d time.Duration) int { return max(1, int(d/restartEvery)-1) }
