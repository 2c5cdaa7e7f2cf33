package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// maxBody is where an answer stops being one. Up to there it is read, so that
// the connection can be used again.
const maxBody = 64 << 10

// Dial connects to a backend.
type Dial func(ctx context.Context, b *pool.Backend) (net.Conn, error)

// HTTP probes a backend with GET requests, as the settings say. The connection
// is kept from probe to probe.
type HTTP struct {
	client  *http.Client
	backend *pool.Backend
	path    string
	expect  int
}

// NewHTTP makes a prober that connects with dial. Variables like HTTP_PROXY
// mean nothing to it, and redirects are not followed: they say nothing of this
// backend's health.
func NewHTTP(b *pool.Backend, s config.Health, dial Dial) *HTTP {
	return &HTTP{
		backend: b,
		path:    s.Path,
		expect:  s.ExpectStatus,
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				// http.Transport lets connecting outlive the request it was for.
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					ctx, cancel := context.WithTimeout(ctx, s.Timeout)
					defer cancel()
					return dial(ctx, b)
				},
				TLSHandshakeTimeout: s.Timeout,
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     3 * s.Interval,
				DisableCompression:  true,
				// The head is bounded like the body; see maxBody.
				MaxResponseHeaderBytes: maxBody,
			},
		},
	}
}

// Close ends the kept connection.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Probe is nil if the backend answers with the expected status.
func (h *HTTP) Probe(ctx context.Context) error {
	path, err := url.ParseRequestURI(h.path) // url.Parse would take //a/b for a host
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.backend.URL.ResolveReference(path).String(), nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	request.Header.Set("User-Agent", "go-proxy-health-check")
	response, err := h.client.Do(request)
	if err != nil {
		// The URL around the error is known to whoever reads it.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return fmt.Errorf("probe: %w", err)
	}
	defer response.Body.Close()
	var n int64
	if response.StatusCode != http.StatusSwitchingProtocols { // there it is a bare connection, which ctx does not end
		n, err = io.CopyN(io.Discard, response.Body, maxBody)
	}
	switch {
	case response.StatusCode != h.expect:
		return fmt.Errorf("probe: status %d, want %d", response.StatusCode, h.expect)
	case n == maxBody:
		return fmt.Errorf("probe: body of %d bytes or more", maxBody)
	case err != io.EOF:
		return fmt.Errorf("probe: body: %w", err)
	}
	return nil
}
