package stack

import (
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Backend is a sample backend of a stack, with the fault lab.
type Backend struct {
	t        testing.TB
	Name     string
	instance instance
	url      string // by which the proxy knows it
}

func newBackend(t testing.TB, h host, name string, n int) *Backend {
	b := &Backend{t: t, Name: name, instance: h.backend(name, n)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s%s", name, b.instance.stdout(), b.instance.stderr())
		}
	})
	b.instance.start()
	b.instance.stdout().Await(t, `reporting as \d+`)
	b.url = "http://" + b.instance.peerAddr()
	return b
}

// ID is what the backend calls itself in X-Backend.
func (b *Backend) ID() string {
	_, port, err := net.SplitHostPort(b.instance.peerAddr())
	require.NoError(b.t, err)
	return port
}

// URL is the backend's as the proxy knows it.
func (b *Backend) URL() string { return b.url }

// Stdout is what the backend has said.
func (b *Backend) Stdout() string { return b.instance.stdout().String() }

// Kill ends the program at once: its connections are reset or closed, new ones
// refused.
func (b *Backend) Kill() {
	b.instance.signal(syscall.SIGKILL)
	b.instance.wait()
}

// Stop ends the program in order.
func (b *Backend) Stop() {
	b.instance.signal(syscall.SIGTERM)
	b.instance.wait()
}

// Start starts a backend that has ended, where it was.
func (b *Backend) Start() { b.instance.start() }

// Restart kills and starts.
func (b *Backend) Restart() {
	b.Kill()
	b.Start()
}

// Pause freezes the program: its connections stay, nothing is answered.
func (b *Backend) Pause() { b.instance.pause() }

// Resume ends a Pause.
func (b *Backend) Resume() { b.instance.resume() }

// Disconnect takes the backend's network away.
func (b *Backend) Disconnect() { b.instance.disconnect() }

// Reconnect gives the backend its network back.
func (b *Backend) Reconnect() { b.instance.connect() }

// Health switches what /health answers: up, down or hang.
func (b *Backend) Health(state string) { b.post("/faults/health?state=" + state) }

// Fault makes all later answers misbehave, as the backend's help says; ""
// makes them good again.
func (b *Backend) Fault(query string) { b.post("/faults/requests?" + query) }

// post talks to the backend past the proxy.
func (b *Backend) post(path string) {
	b.t.Helper()
	require.NoError(b.t, post(b.instance.addr(), path))
}

func post(addr, path string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}
	response, err := client.Post("http://"+addr+path, "", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", path, response.Status)
	}
	return nil
}
