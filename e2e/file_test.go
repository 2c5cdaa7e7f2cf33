package e2e

import (
	"encoding/json"
	"regexp"
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

// readmeFiles are the configuration files that the README shows: a good one,
// and one that is not.
func readmeFiles(t *testing.T) (good, bad stack.Files) {
	t.Helper()
	blocks := regexp.MustCompile("(?s)```jsonc\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	require.Len(t, blocks, 2)
	return stack.Files{"proxy.json": blocks[0][1]}, stack.Files{"proxy.json": blocks[1][1]}
}

// readmeOutput is what the README shows of a command.
func readmeOutput(t *testing.T, command string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme(t), "\n    $ "+command+"\n")
	require.True(t, found)
	output, _, _ := strings.Cut(rest, "\n\n")
	return strings.TrimPrefix(strings.ReplaceAll("\n"+output, "\n    ", "\n"), "\n") + "\n"
}

func TestFileOfTheReadmeIsGood(t *testing.T) {
	good, _ := readmeFiles(t)
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		got := stack.RunProgramWith(t, mode, good, "reverse_proxy", nil, "check", "-config", "proxy.json")
		require.Equal(t, 0, got.Code, got.Stderr)
		require.Equal(t, "the configuration is valid\n", got.Stdout)
	})
}

// What check says, to the letter, and what the start says.
func TestProblemsOfAFileAreToldWithTheirPlaceAndNothingStarts(t *testing.T) {
	_, bad := readmeFiles(t)
	want := readmeOutput(t, "reverse_proxy check -config proxy.json")
	require.Contains(t, want, "(did you mean health.interval?)")
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		variables := map[string]string{"PROXY_LISTEN_ADDR": nobodysAddress}
		for _, args := range [][]string{{"check", "-config", "proxy.json"}, {"-config", "proxy.json"}} {
			got := stack.RunProgramWith(t, mode, bad, "reverse_proxy", variables, args...)
			require.Equal(t, 2, got.Code)
			require.Empty(t, got.Stdout)
			require.Equal(t, want, got.Stderr)
		}
	})
}

func TestNothingInAFileIsGuessed(t *testing.T) {
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		for text, problem := range map[string]string{
			`{"cache": 1}`:                                    `proxy.json:1:2: unknown key "cache"`,
			`{"listen": ":1", "listen": ":2"}`:                `proxy.json:1:18: "listen" is there twice`,
			`{"log": {"access": "on"}}`:                       `proxy.json:1:20: log.access: a string, where true or false belongs (did you mean true?)`,
			`{"health": {"interval": "1s", "timeout": "2s"}}`: `proxy.json:1:42: health.timeout: "2s": longer than health.interval, which is 1s (proxy.json:1:25)`,
			`{"listen": ":1"`:                                 `proxy.json:1:16: is not JSON`,
			``:                                                `proxy.json:1:1: is not JSON`,
		} {
			got := stack.RunProgramWith(t, mode, stack.Files{"proxy.json": text}, "reverse_proxy", nil, "check", "-config=proxy.json")
			require.Equal(t, 2, got.Code, text)
			require.True(t, strings.HasPrefix(got.Stderr, problem), got.Stderr)
		}
		got := stack.RunProgram(t, mode, "reverse_proxy", nil, "-config", "nowhere.json")
		require.Equal(t, 2, got.Code)
		require.Contains(t, got.Stderr, `"nowhere.json": no such file or directory`)
	})
}

// The rows have the README's form; the times and ports differ.
func TestCheckLiveTriesEveryBackend(t *testing.T) {
	shown := strings.Split(readmeOutput(t, "reverse_proxy check -live -backends http://localhost:8081,http://localhost:8082"), "\n")
	stack.Run(t, []stack.Mode{stack.Binaries}, func(t *testing.T, mode stack.Mode) {
		s := stack.New(t, mode, stack.WithBackends(2))
		good, sick := s.Backends[0], s.Backends[1]
		sick.Health("down")
		nobody := freeAddresses(t, 1)[0]
		got := stack.RunProgram(t, mode, "reverse_proxy", nil, "check", "-live", "-backends", good.URL()+","+sick.URL()+",http://"+nobody)
		require.Equal(t, 3, got.Code)
		require.Equal(t, "backends that would be down: 2 of 3\n", got.Stderr)
		rows := strings.Split(got.Stdout, "\n")
		require.Equal(t, shown[0], rows[0])
		require.Equal(t, strings.Fields(shown[1]), strings.Fields(rows[1]))
		require.Regexp(t, `^`+good.URL()+` +up +\S+ +ok in \S+ +ok in \S+$`, rows[2])
		require.Regexp(t, `^`+sick.URL()+` +down +\S+ +ok in \S+ +status 503, want 200$`, rows[3])
		require.Regexp(t, `^http://`+nobody+` +down +`+nobody+` +connect: connection refused +dial tcp `+nobody+`: connect: connection refused$`, rows[4])
		require.Contains(t, shown[3], "connect: connection refused  dial tcp 127.0.0.1:8082: connect: connection refused")

		got = stack.RunProgram(t, mode, "reverse_proxy", nil, "check", "-live", "-backends", good.URL())
		require.Equal(t, 0, got.Code)
		require.Empty(t, got.Stderr)
	})
}

// What config prints is a file that says the same.
func TestConfigPrintsWhatIsInForceAndWhereItCameFrom(t *testing.T) {
	good, _ := readmeFiles(t)
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		variables := map[string]string{"LOG_FORMAT": "text"}
		got := stack.RunProgramWith(t, mode, good, "reverse_proxy", variables, "config", "-config=proxy.json", "-health-rise=2")
		require.Equal(t, 0, got.Code, got.Stderr)
		for _, line := range []string{
			`// config: "proxy.json" (flag -config)`,
			`  "listen": ":9000", // proxy.json:3:13`,
			`    "interval": "5s", // proxy.json:10:45`,
			`    "rise": 2, // flag -health-rise`,
			`    "timeout": "2s", // default`,
			`    "format": "text", // environment variable LOG_FORMAT`,
		} {
			require.Contains(t, got.Stdout, line+"\n")
		}
		again := stack.RunProgramWith(t, mode, stack.Files{"again.json": got.Stdout}, "reverse_proxy", nil, "config", "-config=again.json")
		require.Equal(t, 0, again.Code, again.Stderr)
		source := regexp.MustCompile(`// .*`)
		require.Equal(t, source.ReplaceAllString(got.Stdout, ""), source.ReplaceAllString(again.Stdout, ""))

		secret := stack.Files{"proxy.json": `{"health": {"path": "/ready?token=secret"}}`}
		got = stack.RunProgramWith(t, mode, secret, "reverse_proxy", nil, "config", "-config=proxy.json")
		require.Contains(t, got.Stdout, `"path": "/ready?***", // proxy.json:1:21`)
		require.NotContains(t, got.Stdout, "secret")
	})
}

// The README's table and the schema are one table.
func TestSchemaExplainsEveryKey(t *testing.T) {
	type property struct {
		Description string
		Properties  map[string]property
	}
	stack.Run(t, stack.Processes, func(t *testing.T, mode stack.Mode) {
		got := stack.RunProgram(t, mode, "reverse_proxy", nil, "schema")
		require.Equal(t, 0, got.Code)
		require.Empty(t, got.Stderr)
		var root property
		require.NoError(t, json.Unmarshal([]byte(got.Stdout), &root))
		for _, row := range settingsRow.FindAllStringSubmatch(readme(t), -1) {
			p := root
			if row[1] == "" {
				continue // not in the file
			}
			for name := range strings.SplitSeq(row[1], ".") {
				p = p.Properties[name]
			}
			require.Contains(t, p.Description, row[5], row[1])
		}
	})
}
