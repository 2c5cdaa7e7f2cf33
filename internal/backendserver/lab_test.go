package backendserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlPlaneShowsStateAndHelp(t *testing.T) {
	server := start(t, true)
	for _, path := range []string{"/faults", "/faults/"} {
		resp, body := fetch(t, http.MethodGet, server.URL+path)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "8081", resp.Header.Get("X-Backend"))
		require.Equal(t, "health:   up\nrequests: no fault\n\n"+labHelp(), body)
	}
}

func TestStandingFault(t *testing.T) {
	server := start(t, true)
	status := func(target string) int {
		resp, _ := fetch(t, http.MethodGet, server.URL+target)
		return resp.StatusCode
	}
	resp, body := fetch(t, http.MethodPost, server.URL+"/faults/requests?status=503&size=4")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "health:   up\nrequests: size=4&status=503\n", body)

	resp, body = fetch(t, http.MethodGet, server.URL+"/any?x=1")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "0123", body)
	require.Equal(t, http.StatusNotFound, status("/?status=404"), "a request's own fault wins")
	require.Equal(t, http.StatusOK, status("/health"), "health has a state of its own")
	require.Equal(t, http.StatusOK, status("/faults"), "the control plane stays at hand")

	_, body = fetch(t, http.MethodPost, server.URL+"/faults/requests")
	require.Equal(t, "health:   up\nrequests: no fault\n", body)
	require.Equal(t, http.StatusOK, status("/any"))
}

func TestControlPlaneRefusals(t *testing.T) {
	server := start(t, true)
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"POST", "/faults", 405, "GET only\n"},
		{"GET", "/faults/health?state=down", 405, "POST only\n"},
		{"PUT", "/faults/requests", 405, "POST only\n"},
		{"GET", "/faults/other", 404, "not known, GET /faults lists what is\n"},
		{"POST", "/faults/health", 400, "query: not one parameter; valid: either state or flap\n"},
		{"POST", "/faults/health?state=up&flap=1s", 400, "query: not one parameter; valid: either state or flap\n"},
		{"POST", "/faults/health?state=ill", 400, "state: query parameter: \"ill\": not known; valid: up, down or hang\n"},
		{"POST", "/faults/health?flap=0s", 400, "flap: query parameter: \"0s\": not above 0; valid: a duration above 0, such as 10s or 1m30s\n"},
		{"POST", "/faults/health?stat=up", 400, "query: unknown parameter \"stat\"; valid: state, flap\n"},
		{"POST", "/faults/requests?statsu=500", 400, "query: unknown parameter \"statsu\"; valid: delay, status, size, chunked, drip, piece, fault\n"},
		{"POST", "/faults/requests?status=6", 400, "status: query parameter: \"6\": out of range; valid: a whole number from 200 to 599\n"},
	} {
		resp, body := fetch(t, c.method, server.URL+c.target)
		require.Equal(t, c.status, resp.StatusCode, c.target)
		require.Equal(t, c.body, body, c.target)
		if c.status == http.StatusMethodNotAllowed {
			require.Equal(t, body, resp.Header.Get("Allow")+" only\n")
		}
	}
	_, body := fetch(t, http.MethodGet, server.URL+"/faults")
	require.Equal(t, "health:   up\nrequests: no fault\n\n"+labHelp(), body, "what was refused changed nothing")
}
