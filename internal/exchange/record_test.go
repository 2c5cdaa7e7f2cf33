package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// set is a record of a request, taken from either kind of text.
func set(t *testing.T, method, target string) exchange.Record {
	t.Helper()
	var r, fromBytes exchange.Record
	exchange.SetRequest(&r, "192.0.2.1:1234", method, target)
	exchange.SetRequest(&fromBytes, []byte("192.0.2.1:1234"), []byte(method), []byte(target))
	require.Equal(t, r, fromBytes)
	return r
}

func TestRequestIsSplitIntoPathAndQuery(t *testing.T) {
	for target, want := range map[string][2]string{
		"/":                      {"/", ""},
		"/a/b":                   {"/a/b", ""},
		"/a?b":                   {"/a", "b"},
		"/a?":                    {"/a", ""},
		"/a??":                   {"/a", "?"},
		"/a?b?c=d":               {"/a", "b?c=d"},
		"/a%3Fb?c%3F":            {"/a%3Fb", "c%3F"},
		"//evil/x?y":             {"//evil/x", "y"},
		"http://example.org/a?b": {"/a", "b"},
		"http://example.org?b":   {"", "b"},
		"http://example.org":     {"", ""},
		"*":                      {"*", ""},
		"":                       {"", ""},
		"?b":                     {"", "b"},
		"example.org:443":        {"example.org:443", ""},
		"/a b\n?c\x00":           {"/a b\n", "c\x00"},
	} {
		r := set(t, "GET", target)
		require.Equal(t, want, [2]string{string(r.Path), string(r.Query)}, "%q", target)
		require.Equal(t, "GET", string(r.Method))
		require.Equal(t, "192.0.2.1:1234", string(r.Client))
	}
}

func TestRequestHoldsNoPassword(t *testing.T) {
	for _, target := range []string{"http://user:secret@example.org/a?b", "https://user:secret@example.org", "HTTP://user:secret@example.org?b",
		"ftp://user:secret@example.org/", "user:secret@example.org:443", "http:/user:secret@example.org"} {
		r := set(t, "CONNECT", target)
		for _, field := range [][]byte{r.Client, r.Method, r.Path, r.Query} {
			require.NotContains(t, string(field), "secret", target)
			require.NotContains(t, string(field), "user", target)
		}
	}
}

func TestRecordOwnsItsBytes(t *testing.T) {
	buffer := []byte("192.0.2.1:1234 POST /path?query")
	var r exchange.Record
	exchange.SetRequest(&r, buffer[:14], buffer[15:19], buffer[20:])
	for i := range buffer {
		buffer[i] = 'x'
	}
	require.Equal(t, "192.0.2.1:1234", string(r.Client))
	require.Equal(t, "POST", string(r.Method))
	require.Equal(t, "/path", string(r.Path))
	require.Equal(t, "query", string(r.Query))
}

func TestRequestReplacesTheOneBefore(t *testing.T) {
	var r exchange.Record
	exchange.SetRequest(&r, "[2001:db8::1]:12345", "OPTIONS", "/a/long/path?and=query")
	exchange.SetRequest(&r, "a:1", "GET", "/b")
	require.Equal(t, []string{"a:1", "GET", "/b", ""}, []string{string(r.Client), string(r.Method), string(r.Path), string(r.Query)})
}

// full is a record with every field set.
func full() *exchange.Record {
	r := &exchange.Record{
		Start: time.Unix(1, 0), Duration: time.Second, Status: 502, Received: 1, Sent: 2, Cause: hop.BadResponse,
		Attempts: []exchange.Attempt{{Backend: "http://a:80", Cause: hop.DialRefused}, {Backend: "http://b:80", Cause: hop.BadResponse}},
	}
	exchange.SetRequest(r, "192.0.2.1:1234", "GET", "/path?query")
	return r
}

func TestResetClearsEverything(t *testing.T) {
	r := full()
	r.Reset()
	for _, field := range [][]byte{r.Client, r.Method, r.Path, r.Query} {
		require.Empty(t, field)
	}
	require.Empty(t, r.Attempts)
	r.Client, r.Method, r.Path, r.Query, r.Attempts = nil, nil, nil, nil, nil
	require.Equal(t, &exchange.Record{}, r)
}

func TestResetKeepsMemory(t *testing.T) {
	r := full()
	capacities := func() []int {
		return []int{cap(r.Client), cap(r.Method), cap(r.Path), cap(r.Query), cap(r.Attempts)}
	}
	before := capacities()
	r.Reset()
	require.Equal(t, before, capacities())
}

func TestResetLetsGoOfTheBackendsNames(t *testing.T) {
	r := full()
	r.Reset()
	require.Equal(t, []exchange.Attempt{{}, {}}, r.Attempts[:2])
}

func TestReuseAllocatesNothing(t *testing.T) {
	r := full()
	client, method := []byte("192.0.2.1:1234"), []byte("GET")
	target := []byte("http://u@a/" + strings.Repeat("p", 100) + "?" + strings.Repeat("q", 100))
	reuse := func() {
		r.Reset()
		exchange.SetRequest(r, client, method, target)
		r.Attempts = append(r.Attempts, exchange.Attempt{Backend: "http://a:80"}, exchange.Attempt{Backend: "http://b:80"})
	}
	reuse()
	require.Zero(t, testing.AllocsPerRun(100, reuse))
}

func TestBackendIsTheOneTriedLast(t *testing.T) {
	require.Equal(t, "http://b:80", full().Backend())
	require.Empty(t, new(exchange.Record).Backend())
}

func TestOutcomeOfAnAttemptIsItsCauseOrAnswered(t *testing.T) {
	require.Equal(t, "answered", exchange.Attempt{}.Outcome())
	require.Equal(t, "dial_refused", exchange.Attempt{Cause: hop.DialRefused}.Outcome())
}
