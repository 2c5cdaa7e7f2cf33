package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
)

// expectedFailures are the promises that the net/http plane cannot keep, by
// the test that shows each (its name without the mode), with the reason. The
// documentation of internal/proxy tells users of them. A promise that turns
// out to be kept is an error: then it goes from here, and from there.
var expectedFailures = map[string]string{
	"TestAnswersMeantForOthersNeverArrive":                    poolsTooEarly,
	"TestSmugglingIsRefusedOrUnambiguous/CL.TE":               takesBothLengths,
	"TestSmugglingIsRefusedOrUnambiguous/TE.CL":               takesBothLengths,
	"TestSmugglingIsRefusedOrUnambiguous/TE_after_a_tab,_CL":  takesBothLengths,
	"TestSmugglingIsRefusedOrUnambiguous/TE_in_capitals,_CL":  takesBothLengths,
	"TestSmugglingIsRefusedOrUnambiguous/TE_behind_a_bare_LF": takesBothLengths,
	"TestEveryRefusedHeadLeavesARecord":                       answersByItself,
	"TestSlowHeadIsA408":                                      answersByItself,
	"TestTargetAboveTheLimitOfAHeadIsStillA414":               answersByItself,
	"TestHeadLimitCountsEveryByte":                            "net/http allows 4 KiB more than told, and hides the blanks around values from whoever counts again",
	"TestTargetPassesByteForByte/a_bad_escape":                "net/http refuses a target that net/url cannot parse",
	"TestTargetPassesByteForByte/two_slashes_and_a_brace":     "as URL.Opaque it would become an authority, and URL.RawPath is escaped where no URI may hold a byte",
	"TestFieldsNominatedWithCloseEndAtTheProxy":               "http.Transport removes a Connection field that holds close, and what else that one nominates is not known any more",
	"TestConnectionWithALoginOnItIsPrivate":                   "http.Transport has no connection that belongs to one client",
}

const (
	poolsTooEarly    = "http.Transport returns a connection to its pool before it looks for bytes behind the response"
	takesBothLengths = "net/http accepts Content-Length with Transfer-Encoding, and takes the former away before a handler runs"
	answersByItself  = "net/http answers errors in a request head before any handler runs"
)

// promise runs a behaviour that a plane may be known not to have. The
// behaviour asserts on the testing.TB that it is given; what fails on t itself
// (the harness) is never expected.
func promise(t *testing.T, behaviour func(t testing.TB)) {
	t.Helper()
	tried := &trial{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended) // FailNow ends the goroutine
		behaviour(tried)
	}()
	<-ended
	reason, expected := expectedFailures[withoutMode(t.Name())]
	expected = expected && stack.PlaneOf(t) == stack.NetHTTP
	message, failed := judge(reason, expected, tried.failures())
	switch {
	case failed:
		t.Error(message)
	case message != "":
		t.Log(message)
	}
}

// judge says what comes of a behaviour.
func judge(reason string, expected bool, failures string) (message string, failed bool) {
	switch {
	case expected && failures == "":
		return "UNEXPECTED PASS of what is in expectedFailures since " + reason, true
	case expected:
		return "failed as expected, since " + reason + ":\n" + failures, false
	default:
		return failures, failures != ""
	}
}

func withoutMode(name string) string {
	parts := strings.Split(name, "/")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool {
		return slices.Contains(stack.Every, stack.Mode(p)) || slices.Contains(stack.Planes, stack.Plane(p))
	}), "/")
}

// trial is a testing.TB that keeps failures to itself.
type trial struct {
	testing.TB
	mu   sync.Mutex
	text strings.Builder
}

func (t *trial) keep(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.WriteString(text + "\n")
}

func (t *trial) failures() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func (t *trial) Failed() bool                      { return t.failures() != "" }
func (t *trial) Fail()                             { t.keep("failed") }
func (t *trial) FailNow()                          { t.Fail(); runtime.Goexit() }
func (t *trial) Error(args ...any)                 { t.keep(fmt.Sprint(args...)) }
func (t *trial) Errorf(format string, args ...any) { t.keep(fmt.Sprintf(format, args...)) }
func (t *trial) Fatal(args ...any)                 { t.Error(args...); runtime.Goexit() }
func (t *trial) Fatalf(format string, args ...any) { t.Errorf(format, args...); runtime.Goexit() }

func TestExpectedFailureIsOneOnlyWhileItFails(t *testing.T) {
	for _, c := range []struct {
		expected  bool
		behaviour func(t testing.TB)
		failed    bool
	}{
		{false, func(testing.TB) {}, false},
		{false, func(t testing.TB) { require.True(t, false) }, true},
		{false, func(t testing.TB) { t.Error("x") }, true},
		{true, func(t testing.TB) { require.True(t, false); panic("goes on after FailNow") }, false},
		{true, func(t testing.TB) { t.Fatal("x") }, false},
		{true, func(testing.TB) {}, true},
	} {
		tried := &trial{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.behaviour(tried)
		}()
		<-ended
		message, failed := judge("reason", c.expected, tried.failures())
		require.Equal(t, c.failed, failed, message)
	}
}

// A name in the table that no test has, or one that makes no promise, would
// expect nothing.
func TestExpectedFailuresNameTests(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		if file == "expected_failures_test.go" {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	for name := range expectedFailures {
		test, sub, _ := strings.Cut(name, "/")
		_, body, found := strings.Cut(all.String(), "\nfunc "+test+"(")
		require.True(t, found, test)
		body, _, _ = strings.Cut(body, "\n}\n")
		require.Contains(t, body, "promise(t, ", test)
		require.Contains(t, all.String(), `"`+strings.ReplaceAll(sub, "_", " "), test) // "" for none
	}
}
