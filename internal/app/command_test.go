package app_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/app"
	"go-proxy/internal/config"
)

// written is the path of a configuration file with the text.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestCheckSaysWhatTheStartWouldSay(t *testing.T) {
	bad := written(t, "{\n  \"listen\": \"9000\",\n  \"cache\": 1,\n}")
	variables := map[string]string{"LOG_LEVEL": "loud"}
	code, stdout, checked := runMain(variables, "check", "-config", bad, "-nope")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	code, _, started := runMain(variables, "-config", bad, "-nope")
	require.Equal(t, 2, code)
	require.Equal(t, started, checked)
	require.Contains(t, checked, bad+`:3:3: unknown key "cache"`)
	require.Contains(t, checked, "\n    \"cache\": 1,\n    ^\n")

	code, stdout, stderr := runMain(nil, "check", "-config", written(t, `{"listen": ":1"}`))
	require.Equal(t, 0, code)
	require.Equal(t, "the configuration is valid\n", stdout)
	require.Empty(t, stderr)
}

// refusing is the address of nobody.
func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestCheckLiveTriesEveryBackend(t *testing.T) {
	good, sick, slow := newSample(t, "good"), newSample(t, "sick"), make(chan bool)
	sick.sick.Store(true)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-slow }))
	defer silent.Close()
	defer close(slow)
	_, port, _ := net.SplitHostPort(good.Listener.Addr().String())
	nobody := refusing(t)

	code, stdout, stderr := runMain(nil, "check", "-live", "-health-timeout=100ms", "-backends",
		strings.Join([]string{good.URL, sick.URL, silent.URL, "http://" + nobody, "http://a..b", "http://localhost:" + port}, ","))
	require.Equal(t, 3, code)
	require.Equal(t, "backends that would be down: 4 of 6\n", stderr)
	for _, row := range []string{
		`BACKEND +STATE +ADDRESS +CONNECTION +HEALTH CHECK`,
		good.URL + ` +up +` + good.Listener.Addr().String() + ` +ok in \S+ +ok in \S+`,
		sick.URL + ` +down +` + sick.Listener.Addr().String() + ` +ok in \S+ +status 500, want 200`,
		silent.URL + ` +down +` + silent.Listener.Addr().String() + ` +ok in \S+ +no answer within 100ms`,
		`http://` + nobody + ` +down +` + nobody + ` +connect: connection refused +dial tcp ` + nobody + `: connect: connection refused`,
		`http://a\.\.b +down +none +no such host +dial tcp: lookup a\.\.b: no such host`,
		`http://localhost:` + port + ` +up +\S+:` + port + ` .*`,
	} {
		require.Regexp(t, `(?m)^`+row+`$`, stdout)
	}
}

func TestCheckLiveIsContentWhenAllWouldBeUp(t *testing.T) {
	for _, flag := range []string{"-live", "-live=on"} {
		code, stdout, stderr := runMain(nil, "check", flag, "-backends", newSample(t, "a").URL)
		require.Equal(t, 0, code)
		require.Empty(t, stderr)
		require.Contains(t, stdout, " up ")
	}
	code, stdout, _ := runMain(nil, "check", "-live=off", "-backends", "http://"+refusing(t))
	require.Equal(t, 0, code)
	require.NotContains(t, stdout, "BACKEND")
}

func TestLiveIsForCheckAlone(t *testing.T) {
	for _, args := range [][]string{{"-live"}, {"config", "-live"}} {
		code, _, stderr := runMain(nil, args...)
		require.Equal(t, 2, code)
		require.Contains(t, stderr, `unknown flag "-live"`)
	}
}

func TestConfigPrintsWhatIsInForceAndWhereItCameFrom(t *testing.T) {
	file := written(t, `{"listen": ":1", "health": {"path": "/ready?token=secret", "rise": 3}, "log": {"level": "warn"}}`)
	code, stdout, stderr := runMain(map[string]string{"PROXY_CONFIG": file, "LOG_LEVEL": "error"}, "config", "-health-fall=2")
	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	for _, line := range []string{
		`// config: "` + file + `" (environment variable PROXY_CONFIG)`,
		`  "listen": ":1", // ` + file + `:1:12`,
		`    "path": "/ready?***", // ` + file + `:1:37`,
		`    "rise": 3, // ` + file + `:1:68`,
		`    "fall": 2, // flag -health-fall`,
		`    "timeout": "2s", // default`,
		`    "level": "error", // environment variable LOG_LEVEL`,
	} {
		require.Contains(t, stdout, line+"\n")
	}
	code, _, stderr = runMain(map[string]string{"LOG_LEVEL": "loud"}, "config")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "LOG_LEVEL")
}

func TestSchemaIsPrinted(t *testing.T) {
	code, stdout, stderr := runMain(nil, "schema")
	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	require.Equal(t, config.JSONSchema(new(config.Config).Settings()), stdout)
}

func TestHelpOfEveryCommandIsTheHelp(t *testing.T) {
	_, want, _ := runMain(nil, "-h")
	for _, command := range []string{"check", "config", "schema", "version"} {
		require.Contains(t, want, "\n  reverse_proxy "+command+" ")
		code, stdout, _ := runMain(nil, command, "-h")
		require.Equal(t, 0, code)
		require.Equal(t, want, stdout)
	}
}

func TestCommandsWithoutArgumentsTakeNone(t *testing.T) {
	for _, command := range []string{"schema", "version"} {
		code, stdout, stderr := runMain(nil, command, "-listen=:1")
		require.Equal(t, 2, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "-listen=:1")
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	for _, args := range [][]string{{"schema"}, {"config"}, {"check"}, {"version"}, {"-h"}} {
		var stderr output
		code := app.Main(args, func(string) string { return "" }, full{}, &stderr)
		require.Equal(t, 1, code, args)
		require.Equal(t, "no space left\n", stderr.String())
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
