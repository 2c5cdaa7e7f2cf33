package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

const binaries = "bin/"

// stack is what runs: the proxy and the backends behind it.
type stack struct {
	proxy    program
	backends []program
}

// program is one of them, before it is started.
type program struct {
	name, path string
	addr       string // where it will listen
	freeUp     string // what to set if addr is taken
	env        []string
}

// newStack takes from the environment what is set there. BACKEND_LISTEN_ADDR
// is the exception: one address cannot do for several backends, hence
// DEV_BACKENDS.
func newStack(getenv func(string) string) stack {
	var s stack
	var urls []string
	faults := "BACKEND_FAULTS=" + cmp.Or(getenv("BACKEND_FAULTS"), "on")
	addrs := cmp.Or(getenv("DEV_BACKENDS"), "127.0.0.1:8081,127.0.0.1:8082,127.0.0.1:8083")
	for i, addr := range strings.Split(addrs, ",") {
		s.backends = append(s.backends, program{
			name:   fmt.Sprint("backend", i+1),
			path:   binaries + "backend_server",
			addr:   addr,
			freeUp: "DEV_BACKENDS",
			env:    []string{"BACKEND_LISTEN_ADDR=" + addr, faults},
		})
		urls = append(urls, "http://"+reachable(addr))
	}

	addr := cmp.Or(getenv("PROXY_LISTEN_ADDR"), "127.0.0.1:9000")
	s.proxy = program{
		name:   "proxy",
		path:   binaries + "reverse_proxy",
		addr:   addr,
		freeUp: "PROXY_LISTEN_ADDR",
		env: []string{
			"PROXY_LISTEN_ADDR=" + addr,
			"TARGET_BACKEND_URLS=" + cmp.Or(getenv("TARGET_BACKEND_URLS"), strings.Join(urls, ",")),
			"HEALTH_CHECK_INTERVAL=" + cmp.Or(getenv("HEALTH_CHECK_INTERVAL"), "2s"),
		},
	}
	return s
}

// all lists the programs in the order they are started in.
func (s stack) all() []program {
	return slices.Concat(s.backends, []program{s.proxy})
}

func (s stack) names() []string {
	var names []string
	for _, p := range s.all() {
		names = append(names, p.name)
	}
	return names
}

// checkPorts names every address that is taken, before anything is started.
// Whatever else is wrong with an address the program itself tells better.
func (s stack) checkPorts() error {
	var problems []error
	for _, p := range s.all() {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			l.Close()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			problems = append(problems, fmt.Errorf("%s is in use, so %s cannot listen there: stop what uses it, or set %s",
				p.addr, p.name, p.freeUp))
		}
	}
	return errors.Join(problems...)
}

func (s stack) url() string {
	return "http://" + reachable(s.proxy.addr) + "/"
}

func (s stack) hint() string {
	faults := "http://" + reachable(s.backends[len(s.backends)/2].addr) + "/faults"
	return strings.Join([]string{
		"all up. Try this in another terminal:",
		"  curl " + s.url(),
		"  curl -X POST '" + faults + "/health?state=down'   a backend becomes unhealthy ...",
		"  curl -X POST '" + faults + "/health?state=up'     ... and comes back",
		"Ctrl-C ends all; DEV_TRAFFIC=off silences the client",
	}, "\n")
}

// reachable turns a listening address into one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// environ is our own environment with p's settings on top.
func (p program) environ() []string {
	return append(os.Environ(), p.env...)
}
