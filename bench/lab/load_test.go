package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseWrk(t *testing.T) {
	l, err := parseWrk(`Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.30ms    1.02ms  30.11ms   91.33%
    Req/Sec    14.91k   612.01    15.66k    80.00%
  Latency Distribution
     50%    4.19ms
     75%    4.51ms
     90%    5.00ms
     99%  980.00us
  29683 requests in 2.00s, 6.96MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  14834.78
Transfer/sec:      3.48MB
`)
	require.NoError(t, err)
	require.Equal(t, Load{
		Requests: 29683, Rate: 14834.78, P50: 4190 * time.Microsecond, P99: 980 * time.Microsecond,
		Status: map[int]int{0: 5}, Errors: 10, Message: "Socket errors: connect 1, read 2, write 3, timeout 4",
	}, l)
	require.Equal(t, 15, l.Bad())
}

func TestWrkEndsWithinASecond(t *testing.T) {
	require.Equal(t, "wrk -t1 -c64 -d2s --latency", strings.Join(wrk(64, 2*time.Second), " "))
	require.Equal(t, "timeout --preserve-status -s INT 0.3 wrk -t1 -c64 -d1s --latency", strings.Join(wrk(64, 300*time.Millisecond), " "))
	require.Equal(t, "timeout --preserve-status -s INT 1.5 wrk -t1 -c64 -d2s --latency", strings.Join(wrk(64, 1500*time.Millisecond), " "))
}

// On a busy machine a part of a second may be over before wrk takes Ctrl-C: it
// is killed, and says nothing.
func TestWrkThatIsNotReadyInTimeHasAskedForNothing(t *testing.T) {
	for _, needed := range []string{"taskset", "timeout", "sh"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	said := func(script string) (Load, error) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "wrk"), []byte("#!/bin/sh\n"+script), 0o755))
		return Wrk(t.Context(), 0, 1, 100*time.Millisecond, "http://127.0.0.1:1/")
	}
	l, err := said("exec sleep 60")
	require.NoError(t, err)
	require.Zero(t, l.Requests+l.Bad())
	_, err = said("echo broken >&2; exit 1")
	require.ErrorContains(t, err, "broken")
}

func TestParseHey(t *testing.T) {
	l, err := parseHey(`
Summary:
  Total:	1.0012 secs
  Slowest:	0.0712 secs
  Requests/sec:	8123.2510

Latency distribution:
  10%% in 0.0010 secs
  50%% in 0.0021 secs
  95%% in 0.0104 secs
  99%% in 0.0200 secs

Status code distribution:
  [200]	8100 responses
  [502]	23 responses

Error distribution:
  [7]	Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused
`)
	require.NoError(t, err)
	require.Equal(t, Load{
		Requests: 8123, Rate: 8123.251, P50: 2100 * time.Microsecond, P95: 10400 * time.Microsecond, P99: 20 * time.Millisecond,
		Status: map[int]int{200: 8100, 502: 23}, Errors: 7,
		Message: `Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused`,
	}, l)
	require.Equal(t, 30, l.Bad())
}

func TestParseNothing(t *testing.T) {
	_, err := parseWrk("unable to connect")
	require.ErrorContains(t, err, "unable to connect")
	_, err = parseHey("usage: hey")
	require.ErrorContains(t, err, "usage: hey")
}
