package pool

import (
	"fmt"
	"slices"
	"strconv"
)

// Explain says how a pick would be made now, a line for each fact: the policy,
// who may be picked, and who not and why. It is for people, and not quick.
func (p *ServerPool) Explain() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.snapshot.Load()
	lines := []string{"policy " + s.name}
	for _, b := range s.all {
		what, why := "candidate", ""
		if i := slices.Index(s.eligible, b); i < 0 || !s.hasRoom(i) {
			what, why = "excluded", " because="+strconv.QuoteToASCII(b.excludedFor())
		}
		lines = append(lines, fmt.Sprintf("%s %s state=%v weight=%d in_flight=%d%s", what, b, b.State(), b.weight, b.InFlight(), why))
	}
	return lines
}

// excludedFor is why b may not be picked. The pool's lock is held.
func (b *Backend) excludedFor() string {
	switch {
	case b.drains.Load():
		return "drains"
	case b.State() == Unknown:
		return "not yet probed"
	case b.State() == Down:
		return b.reason
	case b.backup:
		return "backup"
	}
	return "full"
}
