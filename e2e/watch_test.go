package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// awaitReload waits until there have been n reloads, and returns the last line
// about them.
func awaitReload(s *stack.Stack, n int) string {
	s.T.Helper()
	require.Eventually(s.T, func() bool { return s.Reloads() >= n }, stack.Patience, 5*time.Millisecond, "no %d reloads", n)
	require.Equal(s.T, n, s.Reloads())
	log := s.Proxy.Log()
	return log[strings.LastIndex(log, `msg="configuration `):]
}

// watched is a stack whose proxy looks at its file.
func watched(t *testing.T, mode stack.Mode) *stack.Stack {
	return stack.New(t, mode, stack.With("PROXY_CONFIG_WATCH", "on"), stack.With("LOG_LEVEL", "info"), filed("", 1))
}

func TestWatchedFileIsReadAgainWhenAnotherIsPutInItsPlace(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := watched(t, mode)
		s.Write(with("", s.Backend(2)))
		require.Contains(t, awaitReload(s, 1), ` added=[`+s.Backend(2).URL()+`] `)
		s.Write(`{"backends": "none"}`)
		require.Contains(t, awaitReload(s, 2), "configuration refused; nothing has changed")
		s.AwaitUp(s.Backend(2))
		require.Equal(t, stack.Shares(3, s.Backend(2)), s.Spread(3))
		s.Write(with("", s.Backend(3)))
		require.Contains(t, awaitReload(s, 3), ` added=[`+s.Backend(3).URL()+`] `)
	})
}

// Kubernetes has a symlink to a folder in the path, and replaces that.
func TestWatchedFileIsReadAgainWhenASymlinkIsReplaced(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := watched(t, mode)
		dir := filepath.Dir(s.File)
		replace := func(target, name string) {
			require.NoError(t, os.Symlink(target, filepath.Join(dir, "new")))
			require.NoError(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)))
		}
		for i, version := range []string{"v1", "v2"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o755))
			path := filepath.Join(dir, version, filepath.Base(s.File))
			require.NoError(t, os.WriteFile(path, []byte(with("", s.Backend(2+i))), 0o644))
		}
		replace("v1", "data")
		replace(filepath.Join("data", filepath.Base(s.File)), filepath.Base(s.File))
		require.Contains(t, awaitReload(s, 1), ` added=[`+s.Backend(2).URL()+`] `)
		replace("v2", "data")
		require.Contains(t, awaitReload(s, 2), ` added=[`+s.Backend(3).URL()+`] `)
	})
}

// Whoever writes in place, slowly, is not taken at half his word.
func TestWatchedFileIsNotReadWhileItIsWritten(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := watched(t, mode)
		text := with("", s.Backend(2))
		f, err := os.Create(s.File) // truncated
		require.NoError(t, err)
		defer f.Close()
		const parts = 10
		for i := range parts {
			_, err := f.WriteString(text[i*len(text)/parts : (i+1)*len(text)/parts])
			require.NoError(t, err)
			time.Sleep(300 * time.Millisecond) // three seconds for all: two looks or more meet a half
		}
		require.Contains(t, awaitReload(s, 1), `msg="configuration reloaded" changed=[backends] added=[`+s.Backend(2).URL()+`] `)
		require.NotContains(t, s.Proxy.Log(), "refused")
	})
}
