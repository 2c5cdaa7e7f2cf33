package e2e

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recording is what a real client and a real server once said to each other
// over one connection; testdata/recorded/README.md tells the format.
type recording struct {
	requests []seen // as net/http reads them, which knows HTTP/1.0, too
	turns    []turn
	tunnel   []turn // behind a 101, where nothing is HTTP any more
	ends     bool   // the server closed the connection, not the client
}

// turn is what the client said at once, and what it then waited for.
type turn struct {
	asked   string
	said    string
	answers []answer // what is in said, where that is HTTP
}

type answer struct {
	method string // that it answers
	raw    string
	seen
}

func (a answer) switches() bool { return strings.HasPrefix(a.Line, "101") }
func (a answer) interim() bool  { return strings.HasPrefix(a.Line, "1") && !a.switches() }

func readRecording(t *testing.T, file string) *recording {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	r := new(recording)
	for _, line := range strings.Split(string(text), "\n") {
		who, what, _ := strings.Cut(line, " ")
		switch {
		case line == "< ends":
			r.ends = true
		case who == ">" || who == "<":
			piece, err := strconv.Unquote(what)
			require.NoError(t, err, line)
			r.add(who == ">", piece)
		}
	}
	r.readRequests(t)
	r.readAnswers(t)
	return r
}

func (r *recording) add(byClient bool, piece string) {
	if last := len(r.turns) - 1; byClient && (last < 0 || r.turns[last].said != "") {
		r.turns = append(r.turns, turn{})
	}
	now := &r.turns[len(r.turns)-1]
	if byClient {
		now.asked += piece
	} else {
		now.said += piece
	}
}

// readRequests ends before a tunnel, or where the client had its answer before
// it sent the body that was announced.
func (r *recording) readRequests(t *testing.T) {
	var all strings.Builder
	for _, turn := range r.turns {
		all.WriteString(turn.asked)
		if strings.HasPrefix(turn.said, "HTTP/1.1 101 ") {
			break
		}
	}
	in := bufio.NewReader(strings.NewReader(all.String()))
	for {
		request, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		body, err := io.ReadAll(request.Body)
		r.requests = append(r.requests, seen{Line: request.Method + " " + request.URL.RequestURI(), Body: string(body),
			Framing: framingOf(err == nil), Trailer: fieldText(request.Trailer, false)})
	}
}

func framingOf(whole bool) string {
	if whole {
		return "whole"
	}
	return "broken off"
}

// readAnswers takes apart what the server said.
func (r *recording) readAnswers(t *testing.T) {
	answered := 0
	for i := range r.turns {
		now := &r.turns[i]
		for rest := now.said; rest != ""; {
			method, _, _ := strings.Cut(r.requests[answered].Line, " ")
			var a answer
			a, rest = takeAnswer(t, rest, method)
			now.answers = append(now.answers, a)
			if a.switches() {
				r.tunnel = append([]turn{{said: rest}}, r.turns[i+1:]...)
				r.turns = r.turns[:i+1]
				return
			}
			if !a.interim() {
				answered++
			}
		}
	}
	require.Len(t, r.requests, answered, "every request has its answer")
}

func takeAnswer(t *testing.T, text, method string) (a answer, rest string) {
	source := strings.NewReader(text)
	in := bufio.NewReader(source)
	message, ok := readAnswer(in, method)
	require.True(t, ok && message.Line != "no response", text)
	length := len(text) - source.Len() - in.Buffered()
	return answer{method, text[:length], message}, text[length:]
}

// delivered is what a server behind a proxy must see.
func (r *recording) delivered() []seen {
	all := r.requests
	for _, turn := range r.tunnel {
		all = append(all, seen{Line: tunnelLine, Body: turn.asked, Framing: framingOf(true)})
	}
	return all
}

// received is what a client in front of it must.
func (r *recording) received() (all []seen) {
	for _, turn := range r.turns {
		for _, a := range turn.answers {
			all = append(all, a.seen)
		}
	}
	for _, turn := range r.tunnel {
		all = append(all, seen{Line: tunnelLine, Body: turn.said})
	}
	return all
}

// tunnelLine stands where the bytes of a tunnel have no line of their own.
const tunnelLine = "tunnel bytes"
