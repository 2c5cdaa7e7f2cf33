package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/e2e/stack"
	"go-proxy/internal/testkit"
)

// Conversations of real clients with real servers: here the proxy is put
// between them, and neither may notice.
func TestPlanesAgreeOnRecordedConversations(t *testing.T) {
	stack.Needs(t, stack.InProcess)
	files, err := filepath.Glob("testdata/recorded/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			r := readRecording(t, file)
			theirs, ours := r.play(t, stack.NetHTTP), r.play(t, stack.HTTP1)
			switch {
			case !meant(name):
				require.Equal(t, theirs, ours)
			case !strings.Contains(name, atTimes):
				require.NotEqual(t, theirs, ours, "this is no difference any more")
			}
			r.requireKept(t, ours)
		})
	}
}

// atTimes is the one difference that depends on which goroutine of net/http is
// the first.
const atTimes = "refusal-without-close"

// play says again what was recorded, both sides of it, through a proxy.
func (r *recording) play(t *testing.T, plane stack.Plane) (o outcome) {
	b := replay(t, r)
	s := inPlane(t, plane, b.addr)
	client := s.Dial()
	for i, turn := range r.turns {
		if i > 0 && strings.HasSuffix(o.Client[len(o.Client)-1].Line, lastOne) {
			o.leave(client)
			client = s.Dial() // as who recorded this would have done
		}
		client.Send(turn.asked)
		for _, expected := range turn.answers {
			answer, _ := readAnswer(client.R, expected.method)
			o.Client = append(o.Client, answer)
		}
	}
	for _, turn := range r.tunnel {
		client.Send(turn.asked)
		o.Client = append(o.Client, seen{Line: tunnelLine, Body: client.Take(len(turn.said))})
	}
	o.leave(client)
	o.Backend = b.saw(t)
	return o
}

// leave ends the client's side, and awaits the end of the other.
func (o *outcome) leave(client *testkit.Peer) {
	client.CloseWrite()
	if rest, _ := client.Rest(); rest != "" {
		o.Client = append(o.Client, seen{Line: "what nobody said", Body: rest})
	}
}

// requireKept is that the proxy was not noticed. Which fields it adds to a
// request and takes from it has tests of its own.
func (r *recording) requireKept(t *testing.T, o outcome) {
	require.Equal(t, endToEnd(r.received()), endToEnd(o.Client), "the server's answers, and the client's")
	var requests []seen
	for _, request := range o.Backend {
		request.Fields = ""
		requests = append(requests, request)
	}
	require.Equal(t, r.delivered(), requests, "the client's requests, and the server's")
}

// endToEnd leaves out what belongs to one connection (RFC 9110, 7.6.1), and
// Trailer, which an HTTP/1.0 client cannot have (net/http tells it of one).
func endToEnd(all []seen) []seen {
	var kept []seen
	for _, s := range all {
		s.Framing = ""
		s.Line = strings.TrimSuffix(s.Line, lastOne)
		s.Fields = connectionFields.ReplaceAllString(s.Fields+"\n", "")
		kept = append(kept, s)
	}
	return kept
}

var connectionFields = regexp.MustCompile(`(?m)^(Connection|Keep-Alive|Upgrade|Trailer): .*\n`)
