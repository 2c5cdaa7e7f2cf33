package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Load is what a load generator counted.
type Load struct {
	Requests      int // answered, with whatever status
	Rate          float64
	P50, P95, P99 time.Duration
	Status        map[int]int // wrk knows only other (0) than 2xx and 3xx
	Errors        int         // no answer: refused, reset, timed out
	Message       string      // what was said of the errors
}

// Bad counts the requests that did not end in a 2xx or 3xx.
func (l Load) Bad() int {
	bad := l.Errors
	for status, n := range l.Status {
		if status < 200 || status > 399 {
			bad += n
		}
	}
	return bad
}

// Wrk loads a URL with wrk, the last of the arguments.
func Wrk(ctx context.Context, core, connections int, d time.Duration, args ...string) (Load, error) {
	out, err := generate(ctx, core, append(wrk(connections, d), args...)...)
	if interrupted(err) && ctx.Err() == nil {
		return Load{Status: map[int]int{}}, nil
	}
	if err != nil {
		return Load{}, err
	}
	return parseWrk(out)
}

// interrupted reports whether a part of a second ended before wrk was ready to
// take Ctrl-C for an earlier end: it has no figures, and has asked for nothing.
func interrupted(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == 128+int(syscall.SIGINT) // as timeout tells it
}

// wrk knows whole seconds only. A part of one ends with Ctrl-C, which it takes
// for an earlier end.
func wrk(connections int, d time.Duration) []string {
	seconds := (d + time.Second - 1) / time.Second
	command := []string{"wrk", "-t1", "-c" + strconv.Itoa(connections), fmt.Sprintf("-d%ds", seconds), "--latency"}
	if d%time.Second != 0 {
		command = append([]string{"timeout", "--preserve-status", "-s", "INT", fmt.Sprint(d.Seconds())}, command...)
	}
	return command
}

// Hey loads a URL with hey, the last of the arguments.
func Hey(ctx context.Context, core int, args ...string) (Load, error) {
	path, err := heyPath()
	if err != nil {
		return Load{}, fmt.Errorf("go tool -n hey: %w", err)
	}
	out, err := generate(ctx, core, append([]string{path}, args...)...)
	if err != nil {
		return Load{}, err
	}
	return parseHey(out)
}

// heyPath is the binary itself, for `go tool` would stand between it and
// signals.
var heyPath = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("go", "tool", "-n", "hey").Output()
	return strings.TrimSpace(string(path)), err
})

func generate(ctx context.Context, core int, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(core)}, command...)...)
	cmd.SysProcAttr = dieWithParent()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", command[0], err, stderr.String())
	}
	return string(out), nil
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in `)
	wrkSocket   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkLatency  = regexp.MustCompile(`(?m)^\s+(50|99)%\s+(\S+)$`)

	heyRate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	heyLatency = regexp.MustCompile(`(50|95|99)%+ in ([\d.]+) secs`)
	heyStatus  = regexp.MustCompile(`\[(\d+)\]\s+(\d+) responses`)
	heyError   = regexp.MustCompile(`(?m)^\s+\[(\d+)\]\s+(\S.*)$`)
)

func parseWrk(out string) (Load, error) {
	requests, rate := wrkRequests.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if requests == nil || rate == nil {
		return Load{}, fmt.Errorf("wrk says no figures: %s", out)
	}
	l := Load{Requests: number(requests[1]), Rate: float(rate[1]), Status: map[int]int{}}
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		l.Errors, l.Message = number(m[1])+number(m[2])+number(m[3])+number(m[4]), m[0]
	}
	if m := wrkStatus.FindStringSubmatch(out); m != nil {
		l.Status[0] = number(m[1])
	}
	for _, m := range wrkLatency.FindAllStringSubmatch(out, -1) {
		d, err := time.ParseDuration(m[2])
		if err != nil {
			return l, fmt.Errorf("wrk: %w", err)
		}
		l.setLatency(m[1], d)
	}
	return l, nil
}

func parseHey(out string) (Load, error) {
	rate := heyRate.FindStringSubmatch(out)
	if rate == nil {
		return Load{}, fmt.Errorf("hey says no figures: %s", out)
	}
	l := Load{Rate: float(rate[1]), Status: map[int]int{}}
	for _, m := range heyLatency.FindAllStringSubmatch(out, -1) {
		l.setLatency(m[1], time.Duration(float(m[2])*float64(time.Second)))
	}
	answers, errors, _ := strings.Cut(out, "Error distribution:")
	for _, m := range heyStatus.FindAllStringSubmatch(answers, -1) {
		l.Status[number(m[1])] = number(m[2])
		l.Requests += number(m[2])
	}
	for _, m := range heyError.FindAllStringSubmatch(errors, -1) {
		l.Errors += number(m[1])
		l.Message = m[2]
	}
	return l, nil
}

func (l *Load) setLatency(percentile string, d time.Duration) {
	switch percentile {
	case "50":
		l.P50 = d
	case "95":
		l.P95 = d
	case "99":
		l.P99 = d
	}
}

// number and float are for text that a pattern has found to be one.
func number(s string) int    { n, _ := strconv.Atoi(s); return n }
func float(s string) float64 { f, _ := strconv.ParseFloat(s, 64); return f }
