package stack

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Output collects what a program writes.
type Output struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed when there is more; nil while nobody waits
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown != nil {
		close(o.grown)
		o.grown = nil
	}
	return o.text.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// look is the text so far, and what is closed when there is more.
func (o *Output) look() (text string, grown <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown == nil {
		o.grown = make(chan struct{})
	}
	return o.text.String(), o.grown
}

// Until waits until the text is as wanted, and looks at it when there is more of
// it: four suites that look all the time leave nothing for what they wait for.
func (o *Output) Until(t testing.TB, wanted func(text string) bool, message string, args ...any) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		text, grown := o.look()
		if wanted(text) {
			return
		}
		select {
		case <-grown:
			time.Sleep(time.Millisecond) // what writes much is looked at as seldom as that
		case <-deadline.C:
			require.FailNowf(t, "nothing more to wait for", message, args...)
		}
	}
}

// Await waits until a line of the output matches, and returns the last
// submatch.
func (o *Output) Await(t testing.TB, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var match []string
	seen := 0 // bytes of whole lines that do not match
	o.Until(t, func(text string) bool {
		match = re.FindStringSubmatch(text[seen:])
		seen = strings.LastIndexByte(text, '\n') + 1
		return match != nil
	}, "no %q in the log", pattern)
	return match[len(match)-1]
}
