package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// written is the path of a configuration file with the text.
func written(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// filesIn are the files of a folder of testdata, by name without extension.
func filesIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "files", folder, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	files := make(map[string]string)
	for _, path := range paths {
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = path
	}
	return files
}

// effective is what reverse_proxy config prints.
func effective(t *testing.T, env environment, args ...string) string {
	t.Helper()
	c, origins, err := config.Effective(args, env.get)
	require.NoError(t, err)
	return config.EffectiveText(c.Settings(), origins)
}

func TestGoodFilesAreReadAsTheirGoldenSays(t *testing.T) {
	for name, path := range filesIn(t, "good") {
		t.Run(name, func(t *testing.T) {
			golden(t, "files/good/"+name, effective(t, nil, "-config", path))
		})
	}
}

func TestBadFilesAreToldAsTheirGoldenSays(t *testing.T) {
	for name, path := range filesIn(t, "bad") {
		t.Run(name, func(t *testing.T) {
			golden(t, "files/bad/"+name, problems(t, nil, "-config", path).Error()+"\n")
		})
	}
}

// Every key that the table has can be in the file, and nothing else.
func TestFileOfEverythingNamesEveryRow(t *testing.T) {
	_, origins, err := config.Effective([]string{"-config", "testdata/files/good/everything.json"}, environment{}.get)
	require.NoError(t, err)
	for _, s := range new(config.Config).Settings() {
		if s.FileKey() != "" {
			require.Regexp(t, `^testdata/files/good/everything\.json:\d+:\d+$`, origins[s.Key].Source, s.Key)
		}
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	file := written(t, `{"listen": ":1", "health": {"rise": 3}}`)
	require.Equal(t, ":1", load(t, nil, "-config", file).Listen)
	require.Equal(t, ":2", load(t, environment{"PROXY_LISTEN_ADDR": ":2"}, "-config", file).Listen)
	require.Equal(t, ":3", load(t, environment{"PROXY_LISTEN_ADDR": ":2"}, "-config", file, "-listen=:3").Listen)
	c := load(t, environment{"PROXY_CONFIG": file})
	require.Equal(t, ":1", c.Listen)
	require.Equal(t, 3, c.Health.Rise)
	require.Equal(t, 1, c.Health.Fall, "which is the default")
	require.Equal(t, file, c.File)
}

func TestFlagNamesTheFileRatherThanTheVariable(t *testing.T) {
	c := load(t, environment{"PROXY_CONFIG": "nowhere.json"}, "-config", written(t, `{"listen": ":1"}`))
	require.Equal(t, ":1", c.Listen)
}

// A list is one value: none of the file's is left when a variable gives another.
func TestListsAreReplacedWhole(t *testing.T) {
	file := written(t, `{"backends": ["http://a", "http://b"], "trusted_proxies": ["::1"]}`)
	c := load(t, environment{"TARGET_BACKEND_URLS": "http://c"}, "-config", file)
	require.Equal(t, []string{"http://c"}, urls(c))
	require.Len(t, c.TrustedProxies, 1)
	require.Empty(t, load(t, nil, "-config", written(t, `{"trusted_proxies": []}`)).TrustedProxies)
}

// Proxy is called again to load anew: nothing is left of the time before.
func TestFileIsReadAnewEachTime(t *testing.T) {
	file := written(t, `{"listen": ":1", "health": {"rise": 3}}`)
	require.Equal(t, 3, load(t, nil, "-config", file).Health.Rise)
	require.NoError(t, os.WriteFile(file, []byte(`{"listen": ":2"}`), 0o600))
	c := load(t, nil, "-config", file)
	require.Equal(t, ":2", c.Listen)
	require.Equal(t, 1, c.Health.Rise)
}

func TestProblemsOfAllSourcesAreToldAtOnce(t *testing.T) {
	file := written(t, "{\n  \"health\": {\"rise\": 0},\n  \"listen\": \"1\"\n}")
	ps := problems(t, environment{"LOG_LEVEL": "loud"}, "-config", file, "-log-access=perhaps", "-nope")
	var told []string
	for _, p := range ps {
		told = append(told, p.Source)
	}
	require.Equal(t, []string{"command line", file + ":2:22", file + ":3:13", "environment variable LOG_LEVEL", "flag -log-access"}, told)
}

func TestValueOfTheFileMustBeValidEvenIfAFlagWins(t *testing.T) {
	ps := problems(t, nil, "-config", written(t, `{"listen": "1"}`), "-listen=:1")
	require.Len(t, ps, 1)
}

func TestFileThatCannotBeReadIsAProblemOfItsSource(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	large := written(t, strings.Repeat(" ", config.MaxFile-1)+"{}")
	for path, want := range map[string]string{
		"":                               "is empty",
		filepath.Join(folder, "nothing"): "no such file or directory",
		folder:                           "not a regular file",
		pipe:                             "not a regular file",
		"/dev/null":                      "not a regular file",
		large:                            "larger than 1MiB",
		"a\x00b":                         "invalid argument",
	} {
		ps := problems(t, nil, "-config", path, "-listen=bad")
		require.Len(t, ps, 2, path)
		require.Equal(t, "config", ps[0].Key)
		require.Equal(t, "flag -config", ps[0].Source)
		require.Equal(t, path, ps[0].Value)
		require.EqualError(t, ps[0].Err, want)
	}
	ps := problems(t, environment{"PROXY_CONFIG": folder})
	require.Equal(t, "environment variable PROXY_CONFIG", ps[0].Source)
}

func TestFileMayBeAsLargeAsTheLimit(t *testing.T) {
	require.Equal(t, ":1", load(t, nil, "-config", written(t, strings.Repeat(" ", config.MaxFile-len(`{"listen":":1"}`))+`{"listen":":1"}`)).Listen)
}

func TestNameOfAFileCannotForgeALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a\nb")
	require.NoError(t, os.WriteFile(path, []byte("1"), 0o600))
	require.NotContains(t, problems(t, nil, "-config", path)[0].Error(), "\n")
}

func TestFileWithoutARowForItIsUnknown(t *testing.T) {
	var listen string
	table := []config.Setting{{Key: "listen", Env: "LISTEN", Default: ":1", Type: config.Address(&listen)}}
	_, err := config.Load(table, []string{"-config=" + written(t, `{}`)}, environment{"PROXY_CONFIG": "x"}.get)
	require.ErrorContains(t, err, `unknown flag "-config=`)
}

// What people write when they do not look it up.
func TestUnknownKeyIsAnsweredWithTheOneMeant(t *testing.T) {
	for text, meant := range map[string]string{
		`{"listn": 1}`:                               "listen",
		`{"Listen": 1}`:                              "listen",
		`{"listener": 1}`:                            "listen",
		`{"backend": 1}`:                             "backends",
		`{"trustedProxies": 1}`:                      "trusted_proxies",
		`{"shutdown-timeout": 1}`:                    "shutdown_timeout",
		`{"helth": 1}`:                               "health",
		`{"healthcheck": 1}`:                         "health",
		`{"loge": 1}`:                                "log",
		`{"interval": 1}`:                            "health.interval",
		`{"health": {"intrval": 1}}`:                 "health.interval",
		`{"health": {"expectStatus": 1}}`:            "health.expect_status",
		`{"health": {"dial": 1}}`:                    "timeouts.dial",
		`{"timeouts": {"client_header": 1}}`:         "timeouts.client_head",
		`{"limits": {"body": 1}}`:                    "limits.body_bytes",
		`{"HEALTH_CHECK_INTERVAL": 1}`:               "health.interval",
		`{"health-interval": 1}`:                     "health.interval",
		`{"backends": ["http://a", {"uri": "x"}]}`:   "url",
		`{"policy": 1}`:                              "",
		`{"cache": 1}`:                               "",
		`{"retrys": 1}`:                              "retries",
		`{"tls": 1}`:                                 "",
		`{"admin": 1}`:                               "",
		`{"health.interval": "1s"}`:                  "interval within health",
		`{"x": 1}`:                                   "",
		`{"": 1}`:                                    "",
		`{"health": {"rise": 1, "bar": 1}}`:          "",
		`{"` + strings.Repeat("health", 99) + `":1}`: "",
	} {
		ps := problems(t, nil, "-config", written(t, text))
		require.Equal(t, meant, ps[0].Hint, text)
		require.Equal(t, meant == "", ps[0].Valid != "", "either what was meant, or what there is: %s", text)
	}
}

func TestPositionsCountCharacters(t *testing.T) {
	file := written(t, "{\r\n\t/* é🚀 */ \"lïsten\": 1,\r\n}")
	ps := problems(t, nil, "-config", file)
	require.Len(t, ps, 1)
	require.Equal(t, file+":2:11", ps[0].Source)
	require.Equal(t, "    /* é🚀 */ \"lïsten\": 1,\n             ^", ps[0].Excerpt)
}

// Secrets are in no message, however JSON spells them.
func TestExcerptsHoldNoSecret(t *testing.T) {
	for _, value := range []string{
		`"http://user:secret@a"`, `"http:\/\/user:secret@a"`, `"\u0068ttp://user:secret\u0040a"`, `"http:\u002f\u002Fuser:secret@a"`,
		`"http://user:sec/ret?secret@a"`, `"http://a/?token=secret"`, `"http://a/\u003ftoken=secret"`, `"http://a/\u003Ftoken=secret"`,
		`"http://user:secret@a`, `"http://user:\q secret@a"`,
	} {
		for _, text := range []string{`{"backends": [` + value + `]}`, `{"x": ` + value + `}`, `{"health": {"path": ` + value + `}}`, `{"rise": [1, ` + value + `], "y": 1}`} {
			err := problems(t, nil, "-config", written(t, text))
			require.NotContains(t, err.Error(), "secret", text)
			require.NotContains(t, err.Error(), "ret@", text)
		}
	}
}

// FuzzFile has a file from anybody: it is told what is wrong, or read.
func FuzzFile(f *testing.F) {
	paths, err := filepath.Glob("testdata/files/*/*.json")
	require.NoError(f, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(text)
	}
	path := written(f, "")
	place := regexp.MustCompile(`^` + regexp.QuoteMeta(path) + `:(\d+):(\d+)$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		c, origins, err := config.Effective([]string{"-config", path}, environment{}.get)
		if err == nil {
			requireTheSame(t, c, origins)
			return
		}
		lines := strings.Split(string(text), "\n")
		for _, p := range err.(config.Problems) {
			require.NotContains(t, p.Error(), "\n")
			if p.Excerpt == "" {
				require.Contains(t, []string{"default", "flag -config"}, p.Source, "what goes with no value of the file")
				continue
			}
			at := place.FindStringSubmatch(p.Source)
			require.NotNil(t, at, p.Source)
			line, _ := strconv.Atoi(at[1])
			column, _ := strconv.Atoi(at[2])
			require.LessOrEqual(t, line, len(lines))
			require.LessOrEqual(t, column, utf8.RuneCountInString(lines[line-1])+1)
			require.Regexp(t, `^    [^\n]{0,110}\n {4,70}\^$`, p.Excerpt)
		}
	})
}

// requireTheSame reads what is printed of a configuration as a file, and that
// must be the configuration again, but for the secrets of one row.
func requireTheSame(t *testing.T, c *config.Config, origins map[string]config.Origin) {
	t.Helper()
	printed := config.EffectiveText(c.Settings(), origins)
	again := load(t, nil, "-config", written(t, printed), "-health-path", c.Health.Path)
	again.File = c.File
	require.Equal(t, c, again, printed)
}
