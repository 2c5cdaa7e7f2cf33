package accesslog_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// line is what is written for a record.
func line(t testing.TB, s config.Log, record *exchange.Record) string {
	t.Helper()
	s.AccessBuffer, s.AccessFlush = 1<<20, interval
	r := newRigWith(s, takeAll)
	r.Observe(record)
	require.Zero(t, r.runOut())
	return r.written.String()
}

var (
	asText = config.Log{Format: "text"}
	asJSON = config.Log{Format: "json"}
)

func TestLine(t *testing.T) {
	refused := &exchange.Record{Start: numbered(0).Start, Status: 400, Cause: hop.BadRequest}
	inBerlin := numbered(1)
	inBerlin.Start = inBerlin.Start.In(time.FixedZone("CET", 3600))
	long := numbered(1)
	long.Duration, long.Received, long.Sent = 2*time.Hour, 1<<40, 1<<62
	tests := map[string]struct {
		record     *exchange.Record
		text, json string
	}{
		"answered": {numbered(1),
			`time=2026-01-02T03:04:05.678Z client=192.0.2.1:4321 method=GET path=/000001 status=200 received=5 sent=67 ms=1.234` +
				` backend=http://backend.example:8080 attempts=answered@http://backend.example:8080 cause=-`,
			`{"time":"2026-01-02T03:04:05.678Z","client":"192.0.2.1:4321","method":"GET","path":"/000001","status":200,"received":5,"sent":67,"ms":1.234,` +
				`"backend":"http://backend.example:8080","attempts":[{"backend":"http://backend.example:8080","outcome":"answered"}],"cause":""}`},
		"failed twice": {failure(),
			`time=2026-01-02T03:04:05.678Z client=192.0.2.1:4321 method=GET path=/000001 status=502 received=5 sent=67 ms=1.234` +
				` backend=http://b:80 attempts=dial_refused@http://a:80,bad_response@http://b:80 cause=bad_response`,
			`{"time":"2026-01-02T03:04:05.678Z","client":"192.0.2.1:4321","method":"GET","path":"/000001","status":502,"received":5,"sent":67,"ms":1.234,` +
				`"backend":"http://b:80","attempts":[{"backend":"http://a:80","outcome":"dial_refused"},{"backend":"http://b:80","outcome":"bad_response"}],` +
				`"cause":"bad_response"}`},
		"refused, with nothing known": {refused,
			`time=2026-01-02T03:04:05.678Z client=- method=- path=- status=400 received=0 sent=0 ms=0.000 backend=- attempts=- cause=bad_request`,
			`{"time":"2026-01-02T03:04:05.678Z","client":"","method":"","path":"","status":400,"received":0,"sent":0,"ms":0.000,` +
				`"backend":"","attempts":[],"cause":"bad_request"}`},
		"another time zone": {inBerlin,
			`time=2026-01-02T04:04:05.678+01:00 client=192.0.2.1:4321 method=GET path=/000001 status=200 received=5 sent=67 ms=1.234` +
				` backend=http://backend.example:8080 attempts=answered@http://backend.example:8080 cause=-`,
			`{"time":"2026-01-02T04:04:05.678+01:00","client":"192.0.2.1:4321","method":"GET","path":"/000001","status":200,"received":5,"sent":67,"ms":1.234,` +
				`"backend":"http://backend.example:8080","attempts":[{"backend":"http://backend.example:8080","outcome":"answered"}],"cause":""}`},
		"long and large": {long,
			`time=2026-01-02T03:04:05.678Z client=192.0.2.1:4321 method=GET path=/000001 status=200 received=1099511627776 sent=4611686018427387904 ms=7200000.000` +
				` backend=http://backend.example:8080 attempts=answered@http://backend.example:8080 cause=-`,
			`{"time":"2026-01-02T03:04:05.678Z","client":"192.0.2.1:4321","method":"GET","path":"/000001","status":200,"received":1099511627776,` +
				`"sent":4611686018427387904,"ms":7200000.000,` +
				`"backend":"http://backend.example:8080","attempts":[{"backend":"http://backend.example:8080","outcome":"answered"}],"cause":""}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.text+"\n", line(t, asText, test.record))
			require.Equal(t, test.json+"\n", line(t, asJSON, test.record))
		})
	}
}

// What a client sends must not look like a line, a field or an escape of ours.
func TestHostilePathStaysOneWord(t *testing.T) {
	for path, want := range map[string]struct{ text, json string }{
		`/a b`:                       {`"/a b"`, `"/a b"`},
		`/a"b`:                       {`"/a\"b"`, `"/a\"b"`},
		`/a\b`:                       {`"/a\\b"`, `"/a\\b"`},
		"/a\nb":                      {`"/a\nb"`, `"/a\u000ab"`},
		"/a\r\n\tb":                  {`"/a\r\n\tb"`, `"/a\u000d\u000a\u0009b"`},
		"/\x00\x1b[2J\x7f":           {`"/\x00\x1b[2J\x7f"`, `"/\u0000\u001b[2J\u007f"`},
		"/\xff\xc3(":                 {`"/\xff\xc3("`, "\"/\ufffd\ufffd(\""},
		"/é":                         {`"/\u00e9"`, `"/é"`},
		"/\u2028\u0085\u202e":        {`"/\u2028\u0085\u202e"`, "\"/\u2028\u0085\u202e\""},
		"/ status=200 cause=-":       {`"/ status=200 cause=-"`, `"/ status=200 cause=-"`},
		"/a=b":                       {`"/a=b"`, `"/a=b"`},
		`/","status":200,"x":"`:      {`"/\",\"status\":200,\"x\":\""`, `"/\",\"status\":200,\"x\":\""`},
		"/\ntime=2026 dropped=1000":  {`"/\ntime=2026 dropped=1000"`, `"/\u000atime=2026 dropped=1000"`},
		"/a;b,c{}[]|%00+<script>&'~": {`/a;b,c{}[]|%00+<script>&'~`, `"/a;b,c{}[]|%00+<script>&'~"`},
	} {
		r := numbered(1)
		r.Path = []byte(path)
		require.Contains(t, line(t, asText, r), " path="+want.text+" status=", "%q", path)
		require.Contains(t, line(t, asJSON, r), `,"path":`+want.json+`,"status":`, "%q", path)
	}
}

func TestHostileClientMethodAndBackendAreQuotedToo(t *testing.T) {
	r := numbered(1)
	r.Client, r.Method, r.Attempts[0].Backend = []byte("a\nb"), []byte(`G"T`), "http://a:80/x=\n"
	text := line(t, asText, r)
	require.Contains(t, text, ` client="a\nb" method="G\"T" path=`)
	require.Contains(t, text, ` backend="http://a:80/x=\n" attempts=answered@"http://a:80/x=\n" cause=`)
}

func TestQueryIsAbsentUnlessAskedFor(t *testing.T) {
	r := numbered(1)
	r.Query = []byte("token=secret")
	for _, format := range formats {
		require.NotContains(t, line(t, config.Log{Format: format}, r), "secret")
		require.NotContains(t, line(t, config.Log{Format: format}, r), "query")
	}
	require.Contains(t, line(t, config.Log{Format: "text", Query: true}, r), ` path=/000001 query="token=secret" status=`)
	require.Contains(t, line(t, config.Log{Format: "json", Query: true}, r), `,"path":"/000001","query":"token=secret","status":`)
}

func TestNoQueryIsNoField(t *testing.T) {
	for _, format := range formats {
		require.NotContains(t, line(t, config.Log{Format: format, Query: true}, numbered(1)), "query")
	}
}

func TestLineKeepsNothingOfTheRecord(t *testing.T) {
	for _, format := range formats {
		r, record := newRig(format, takeAll), numbered(1)
		r.Observe(record)
		for i := range record.Path {
			record.Path[i] = 'x'
		}
		record.Reset()
		require.Zero(t, r.runOut())
		require.Equal(t, map[string]int{"/000001": 1}, r.accounts(t, format, 1, 0).lines)
	}
}

// object is a JSON line as other programs read it.
type object struct {
	Time, Client, Method, Path, Query string
	Status                            int
	Received, Sent                    int64
	MS                                *float64
	Backend                           string
	Attempts                          []struct{ Backend, Outcome string }
	Cause                             string
}

// anyTextLine is key=value pairs; what is quoted is quoted as in Go.
var anyTextLine = regexp.MustCompile(`^time=\S+ client=(\S+|".*") method=(\S+|".*") path=(\S+|".*") query=(\S+|".*") status=-?\d+ received=-?\d+ sent=-?\d+ ms=-?\d+\.\d{3} backend=.+ attempts=.+ cause=(-|[a-z_]+)\n$`)

func FuzzLine(f *testing.F) {
	f.Add([]byte("192.0.2.1:4321"), []byte("GET"), []byte("/a b\n"), []byte("x=1"), "http://a:80", int64(200), uint8(0))
	f.Add([]byte(""), []byte("G\"T"), []byte("/\xff\xfe\\"), []byte("\x00"), "", int64(-1), uint8(1))
	f.Add([]byte("a=b"), []byte("\r\n"), []byte("/\",\"status\":1,\"\u2028"), []byte("\x7f\x1b[2J"), "\n", int64(1)<<62, uint8(21))
	f.Fuzz(func(t *testing.T, client, method, path, query []byte, backend string, number int64, cause uint8) {
		r := &exchange.Record{
			Start: time.Unix(number, 0).UTC(), Duration: time.Duration(number),
			Client: client, Method: method, Path: path, Query: query,
			Status: int(number), Received: number, Sent: number, Cause: hop.Cause(cause) % (hop.Internal + 1),
		}
		for i := range cause % 4 {
			r.Attempts = append(r.Attempts, exchange.Attempt{Backend: backend, Cause: hop.Cause(i)})
		}
		checkText(t, r, line(t, config.Log{Format: "text", Query: true}, r))
		checkJSON(t, r, line(t, config.Log{Format: "json", Query: true}, r))
	})
}

// checkText: one line of printable ASCII, in which a path can be read back.
func checkText(t *testing.T, r *exchange.Record, text string) {
	require.Equal(t, 1, strings.Count(text, "\n"), "%q", text)
	require.True(t, strings.HasSuffix(text, "\n"), "%q", text)
	require.False(t, strings.ContainsFunc(text[:len(text)-1], func(c rune) bool { return c < ' ' || c >= 0x7f }), "%q", text)
	require.Contains(t, text, " path="+word(r.Path)+" ")
	if len(r.Query) > 0 {
		require.Regexp(t, anyTextLine, text)
	}
}

// word is how bytes appear in a line of text.
func word(b []byte) string {
	quoted := strconv.QuoteToASCII(string(b))
	switch {
	case len(b) == 0:
		return "-"
	case quoted[1:len(quoted)-1] == string(b) && !bytes.ContainsAny(b, " ="):
		return string(b)
	}
	return quoted
}

// checkJSON: one line that every parser reads, and reads as it was meant.
func checkJSON(t *testing.T, r *exchange.Record, text string) {
	require.Equal(t, 1, strings.Count(text, "\n"), "%q", text)
	var got object
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&got), "%q", text)
	require.Equal(t, []string{valid(r.Client), valid(r.Method), valid(r.Path), valid(r.Query), valid([]byte(r.Backend())), r.Cause.String()},
		[]string{got.Client, got.Method, got.Path, got.Query, got.Backend, got.Cause})
	require.Equal(t, []int64{int64(r.Status), r.Received, r.Sent}, []int64{int64(got.Status), got.Received, got.Sent})
	require.NotNil(t, got.MS)
	require.Len(t, got.Attempts, len(r.Attempts))
	for i, a := range r.Attempts {
		require.Equal(t, a.Outcome(), got.Attempts[i].Outcome)
	}
}

// valid is the text with U+FFFD for each byte that is no UTF-8.
func valid(b []byte) string { return string([]rune(string(b))) }
