package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// listed are the URLs as the items of a JSON array.
func listed(urls []string) string { return `"` + strings.Join(urls, `", "`) + `"` }

func TestSettingsMayBeInAFile(t *testing.T) {
	stack.Run(t, stack.Every, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithFile(func(urls []string) string {
			return `{
				// Three, of which one is written as an object.
				"backends": [` + listed(urls[:2]) + `, {"url": "` + urls[2] + `"}],
				"limits": {"body_bytes": "1KiB", /* and no more */},
				"log": {"query": true}, // a comma behind the last
			}`
		}))
		for range 3 {
			require.Equal(t, 200, s.Get("/").StatusCode)
		}
		for _, b := range s.Backends {
			require.Equal(t, "up", s.State(b))
		}
		require.Equal(t, 413, s.Do("POST", "/", strings.NewReader(strings.Repeat("x", 1025))).StatusCode)
		s.Get("/asked?with=query")
		s.Proxy.AwaitAccess(`path=/asked query="with=query"`)
	})
}
