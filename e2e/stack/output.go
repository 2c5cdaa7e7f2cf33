package stack

import (
	"strings"
	"sync"
	"testing"
)

// Output collects what a program writes.
type Output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await waits until the output matches, and returns the last submatch.
func (o *Output) Await(t testing.TB, pattern string) string {
	t.Helper()
	return await(t, pattern, o.String)
}
