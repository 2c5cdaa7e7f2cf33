package config_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/tailscale/hujson"

	"go-proxy/internal/config"
)

func schema() string { return config.JSONSchema(new(config.Config).Settings()) }

// validator judges a file by the schema as an editor does.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("proxy.json", parsed))
	compiled, err := compiler.Compile("proxy.json")
	require.NoError(t, err)
	return func(text string) error {
		plain, err := hujson.Standardize([]byte(text + "\n"))
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(plain)))
		require.NoError(t, err)
		return compiled.Validate(value)
	}
}

func TestSchema(t *testing.T) { golden(t, "schema", schema()) }

func TestSchemaTakesGoodFiles(t *testing.T) {
	validate := validator(t)
	for name, path := range filesIn(t, "good") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, validate(strings.TrimPrefix(string(text), "\ufeff")), name)
	}
	require.NoError(t, validate(effective(t, nil)), "the defaults, written out")
}

// For each row and a value of each kind: what the loader takes, the schema
// takes; and a value of the wrong kind neither does.
func TestSchemaAndLoaderAgree(t *testing.T) {
	validate := validator(t)
	values := []string{`"10s"`, `"64KiB"`, `"5000"`, `"10%"`, `"json"`, `"debug"`, `"a:1"`, `"/x"`, `"on"`, `""`, `"http://a"`,
		`0`, `1`, `204`, `5000`, `1.5`, `-1`, `true`, `false`, `null`, `{}`, `[]`, `["http://a"]`, `["::1"]`, `[1]`, `[{}]`,
		`[{"url": "http://a"}, "https://b"]`, `[{"url": "http://a", "weight": 1}]`,
		`[{"url": "http://a", "weight": "1"}]`, `[{"url": "http://a", "backup": true}]`, `[{"url": "http://a", "backup": "on"}]`, `[{"weight": 1}]`,
		`[{"url": "http://a", "wieght": 1}]`, `"random"`, `"off"`, `"150%"`, `"path"`, `"cookie:a"`, `"query:a[]"`, `"header:X-User"`}
	taken := 0
	for _, s := range new(config.Config).Settings() {
		if s.FileKey() == "" {
			continue
		}
		for _, value := range values {
			text := `{"` + s.Key + `": ` + value + `}`
			if group, name, grouped := strings.Cut(s.Key, "."); grouped {
				text = `{"` + group + `": {"` + name + `": ` + value + `}}`
			}
			_, err := config.Proxy([]string{"-config", written(t, text)}, environment{}.get)
			ps, _ := err.(config.Problems)
			switch {
			case err == nil || strings.Contains(ps[0].Err.Error(), "health.interval"):
				taken++
				require.NoError(t, validate(text), text)
			case strings.HasSuffix(ps[0].Err.Error(), "belongs") || strings.Contains(ps[0].Err.Error(), "unknown key"):
				require.Error(t, validate(text), text)
			}
		}
	}
	require.Greater(t, taken, 50)
}

func TestSchemaKnowsNoOtherKeys(t *testing.T) {
	validate := validator(t)
	for _, text := range []string{`{"cache": 1}`, `{"health": {"weight": 1}}`, `{"Listen": ":1"}`, `{"config": "x"}`, `{"health": []}`, `[]`} {
		require.Error(t, validate(text), text)
	}
}

func TestSchemaExplainsEveryRow(t *testing.T) {
	type property struct {
		Description string
		Default     any
		Properties  map[string]property
	}
	var root property
	require.NoError(t, json.Unmarshal([]byte(schema()), &root))
	require.NotContains(t, root.Properties, "config")
	for _, s := range new(config.Config).Settings() {
		if s.FileKey() == "" {
			continue
		}
		p := root
		for name := range strings.SplitSeq(s.Key, ".") {
			p = p.Properties[name]
		}
		require.Contains(t, p.Description, s.Help)
		if s.DefaultNote == "" {
			require.NotNil(t, p.Default, s.Key)
		} else {
			require.Contains(t, p.Description, s.DefaultNote)
		}
	}
}
