package stack

import "strings"

// Peer is the handle of a backend that the test plays itself, by the URL or
// address given to WithPeers: for what the proxy says of it. It has no program
// that could be killed or told to misbehave.
func (s *Stack) Peer(url string) *Backend {
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	return &Backend{t: s.T, Name: url, url: url}
}
