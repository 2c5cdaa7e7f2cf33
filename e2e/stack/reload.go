package stack

import (
	"os"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
)

// Write puts a file with the text in the place of the proxy's.
func (s *Stack) Write(text string) {
	s.T.Helper()
	require.NoError(s.T, os.WriteFile(s.File+".new", []byte(text), 0o644))
	require.NoError(s.T, os.Rename(s.File+".new", s.File))
}

// Reload is Write with a SIGHUP. It returns what the proxy has logged since
// then, when it has said how that ended.
func (s *Stack) Reload(text string) (logged string) {
	s.T.Helper()
	s.Write(text)
	before, reloads := len(s.Proxy.Log()), s.Reloads()
	s.Proxy.Signal(syscall.SIGHUP)
	s.Proxy.instance.stderr().Until(s.T, func(log string) bool { return reloadsIn(log) > reloads }, "nothing is said of the reload")
	return s.Proxy.Log()[before:]
}

// Reloads is how many reloads have ended, in one way or another.
func (s *Stack) Reloads() int { return reloadsIn(s.Proxy.Log()) }

func reloadsIn(log string) int {
	n := 0
	for _, line := range []string{`msg="configuration reloaded"`, `msg="configuration is unchanged"`, `msg="configuration refused`} {
		n += strings.Count(log, line)
	}
	return n
}
