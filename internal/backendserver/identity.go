package backendserver

import (
	"net"
	"os"
	"strconv"
)

// Identity is what a backend says of itself, so that a client behind a load
// balancer can see who answered.
type Identity struct {
	Hostname string `json:"hostname"`
	Listen   string `json:"listening_address"`
	Name     string `json:"reporting_as"`
}

// identify describes the server that was told to listen on address and was
// bound to port. A port of 0 tells nobody where to connect, so the bound one
// stands in for it.
func identify(address string, port int) Identity {
	name := strconv.Itoa(port)
	if host, given, err := net.SplitHostPort(address); err == nil {
		if n, err := strconv.Atoi(given); err == nil && n == 0 {
			address = net.JoinHostPort(host, name)
		}
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown" // a name for people; not worth refusing to start
	}
	return Identity{Hostname: hostname, Listen: address, Name: name}
}
