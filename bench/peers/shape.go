package main

import (
	"fmt"
	"strings"

	"go-proxy/bench/lab"
)

// shape is a form that the load has.
type shape struct {
	key         string // for -shapes
	title       string
	connections int
	close       bool // after each request
	bytes       int  // of a body
	// full has all programs measured, and latency, too. In the other shapes it
	// is cost alone, and of those that one would choose among.
	full bool
}

var shapes = []shape{
	{key: "small", title: "64 connections", connections: 64, bytes: lab.SmallBody, full: true},
	{key: "500", title: "500 connections", connections: 500, bytes: lab.SmallBody},
	{key: "close", title: "new connection per request", connections: 64, bytes: lab.SmallBody, close: true},
	{key: "64KiB", title: "64 KiB answers", connections: 64, bytes: 64 << 10},
	// Fewer, for what 64 have in sockets' buffers is more than the processor's
	// caches hold.
	{key: "1MiB", title: "1 MiB answers", connections: 16, bytes: 1 << 20},
}

// keys are those of all shapes, as -shapes wants them.
func keys() string {
	var all []string
	for _, s := range shapes {
		all = append(all, s.key)
	}
	return strings.Join(all, ",")
}

// choose finds the shapes that a list of keys names, in their own order.
func choose(list string) (chosen []shape, err error) {
	wanted := map[string]bool{}
	for key := range strings.SplitSeq(list, ",") {
		wanted[key] = true
	}
	for _, s := range shapes {
		if wanted[s.key] {
			chosen = append(chosen, s)
			delete(wanted, s.key)
		}
	}
	for key := range wanted {
		return nil, fmt.Errorf("no shape is called %q; there are %s", key, keys())
	}
	return chosen, nil
}

// args are those of wrk or hey besides connections and time.
func (s shape) args(tool, addr string) []string {
	url := "http://" + addr + s.path()
	switch {
	case !s.close:
		return []string{url}
	case tool == "wrk":
		return []string{"-H", "Connection: close", url}
	default:
		return []string{"-disable-keepalive", url}
	}
}

// path is what lab.Backend answers with so many bytes.
func (s shape) path() string {
	if s.bytes == lab.SmallBody {
		return "/"
	}
	return fmt.Sprintf("/bytes/%d", s.bytes)
}

// String says what is asked for.
func (s shape) String() string {
	connections := "%d keep-alive connections"
	if s.close {
		connections = "a new connection for each request, %d at a time"
	}
	return fmt.Sprintf(connections+", GET, %d bytes of body", s.connections, s.bytes)
}
