package backendserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAcceptsJSON(t *testing.T) {
	for _, c := range []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"*/*"}, false},
		{[]string{"application/*"}, false},
		{[]string{"text/html, application/xhtml+xml, */*;q=0.8"}, false},
		{[]string{"application/jsonx"}, false},
		{[]string{"application/json"}, true},
		{[]string{"Application/JSON"}, true},
		{[]string{"text/plain , application/json;q=0.1"}, true},
		{[]string{"text/plain", "application/json"}, true},
		{[]string{"application/json;charset=utf-8"}, true},
		{[]string{"application/json ; Q=0.5"}, true},
		{[]string{"application/json;q=0"}, false},
		{[]string{"application/json; q=0.000"}, false},
		{[]string{"application/json;q=0, application/json;v=2"}, true},
		{[]string{"application/json;q=high"}, false},
		{[]string{"application/json;q=2"}, false},
		{[]string{"application/json;q=-1"}, false},
		{[]string{"application/json;q=NaN"}, false},
		{[]string{`text/x;a="1, application/json, 2"`}, false},
		{[]string{`text/x;a="\", application/json"`}, false},
		{[]string{`text/x;a="\",application/json,\""`}, false},
		{[]string{`text/x;a="1,2", application/json`}, true},
		{[]string{`text/x;a="open, application/json`}, false},
		{[]string{",,application/json,"}, true},
	} {
		require.Equal(t, c.want, acceptsJSON(http.Header{"Accept": c.accept}), "%q", c.accept)
	}
}

func FuzzAcceptsJSON(f *testing.F) {
	f.Add(`text/x;a="\", application/json";q=0, application/json;q=0.5`)
	f.Fuzz(func(t *testing.T, accept string) {
		acceptsJSON(http.Header{"Accept": {accept}})
	})
}
