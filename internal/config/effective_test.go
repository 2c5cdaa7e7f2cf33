package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

func TestEffectiveTextHidesSecretsAndNothingElse(t *testing.T) {
	value := func(v any) config.Type { return config.Type{Get: func() any { return v }} }
	text := config.EffectiveText([]config.Setting{
		{Key: "a", NotInFile: true, Type: value("x")},
		{Key: "b", Type: value([]string{"http://user:secret@a/?x=1", "<&>"})},
		{Key: "c.d", Type: value("https://secret@b")},
		{Key: "c.e", Type: config.Type{Get: func() any { return "secret" }, Hide: func(string) string { return "***" }}},
		{Key: "f.g", Type: value(1)},
		{Key: "h", Type: value(true)},
	}, map[string]config.Origin{"b": {Source: "somewhere"}})
	require.Equal(t, `// a: "x" (default)
{
  "b": [
    "http://***@a/?x=1",
    "<&>"
  ], // somewhere
  "c": {
    "d": "https://***@b", // default
    "e": "***", // default
  },
  "f": {
    "g": 1, // default
  },
  "h": true, // default
}
`, text)
}
