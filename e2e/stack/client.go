package stack

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/testkit"
)

// Answer is a response with its body read.
type Answer struct {
	*http.Response
	Text string
}

// From is the name of the backend that answered, or "" for the proxy itself.
func (a Answer) From() string { return a.Header.Get("X-Backend") }

// newClient keeps connections, asks nobody for a proxy, and adds nothing to a
// request.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Client is for requests that need more than Do: a length, an answer that is
// not kept.
func (s *Stack) Client() *http.Client { return s.client }

// Get asks the proxy for the path.
func (s *Stack) Get(path string) Answer {
	s.T.Helper()
	return s.Do(http.MethodGet, path, nil)
}

// Do sends a request to the proxy and reads the whole answer.
func (s *Stack) Do(method, path string, body io.Reader, fields ...string) Answer {
	s.T.Helper()
	answer, err := s.Try(method, path, body, fields...)
	require.NoError(s.T, err)
	return answer
}

// Try is Do for requests that may fail. fields are names and values in turn.
func (s *Stack) Try(method, path string, body io.Reader, fields ...string) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.URL(path), body)
	if err != nil {
		return Answer{}, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		request.Header.Add(fields[i], fields[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{response, string(text)}, err
}

// CloseIdle closes the client's connections that are not in use.
func (s *Stack) CloseIdle() { s.client.CloseIdleConnections() }

// Dial connects to the proxy as a raw client.
func (s *Stack) Dial() *testkit.Peer {
	s.T.Helper()
	return testkit.Dial(s.T, s.Proxy.Addr)
}

// Raw sends the text over a connection of its own, and returns all that comes
// back until the proxy closes it.
func (s *Stack) Raw(text string) string {
	s.T.Helper()
	p := s.Dial()
	p.Send(text)
	rest, err := p.Rest()
	require.NoError(s.T, err, "got so far: %q", rest)
	return rest
}

// Spread sends n requests one after the other and counts who answered.
func (s *Stack) Spread(n int) map[string]int {
	s.T.Helper()
	counts := make(map[string]int)
	for range n {
		answer := s.Get("/")
		require.Equal(s.T, http.StatusOK, answer.StatusCode, answer.Text)
		counts[answer.From()]++
	}
	return counts
}

// Shares is the counts wanted if each backend answers n.
func Shares(n int, backends ...*Backend) map[string]int {
	counts := make(map[string]int)
	for _, b := range backends {
		counts[b.ID()] = n
	}
	return counts
}
