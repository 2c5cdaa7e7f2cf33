package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/testkit"
)

// replayed is a backend that says what a real server said.
type replayed struct {
	strictBackend
	of      *recording
	answers []answer // to come, under the lock of the strictBackend
}

func replay(t *testing.T, r *recording) *replayed {
	b := &replayed{of: r}
	for _, turn := range r.turns {
		b.answers = append(b.answers, turn.answers...)
	}
	b.addr = testkit.Script(t, b.serve)
	return b
}

func (b *replayed) serve(p *testkit.Peer) {
	var last answer
	more := true
	say := func() {
		last, more = b.next()
		p.Send(last.raw)
	}
	b.each(p, say, func(request strictRequest) (goesOn bool) {
		if request.isProbe() {
			p.Send(wellAnswered(request.target))
			return true
		}
		for say(); last.interim(); {
			say()
		}
		if last.switches() {
			b.serveTunnel(p)
			return false
		}
		return more || !b.of.ends
	})
}

func (b *replayed) serveTunnel(p *testkit.Peer) {
	for _, turn := range b.of.tunnel {
		method, target, _ := strings.Cut(tunnelLine, " ")
		bytes := strictRequest{method: method, target: target, body: p.Take(len(turn.asked)), whole: true}
		b.mu.Lock()
		b.requests = append(b.requests, bytes)
		b.mu.Unlock()
		p.Send(turn.said)
	}
	if !b.of.ends {
		p.AwaitEnd()
	}
}

func (b *replayed) next() (a answer, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.answers) > 0 {
		a, b.answers = b.answers[0], b.answers[1:]
	}
	return a, len(b.answers) > 0
}

// saw is what came, also the beginning of a request whose body was refused.
func (b *replayed) saw(t *testing.T) (all []seen) {
	requests, violations := b.take(t)
	require.Empty(t, violations)
	for _, request := range requests {
		s := seenAs(request)
		s.Framing = framingOf(request.whole)
		all = append(all, s)
	}
	return all
}
