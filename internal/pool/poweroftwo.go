package pool

// powerOfTwo draws two backends by weight and picks the one with fewer leases
// out for its weight, of equals the first. That keeps the longest queue nearly as
// short as leastConnections does, and looks at two backends however many there
// are.
type powerOfTwo struct {
	candidates
	draw
}

func newPowerOfTwo(c candidates) policy { return &powerOfTwo{c, newDraw(c.weights)} }

func (p *powerOfTwo) pick(Key) int {
	a := p.one()
	if len(p.backends) == 1 {
		return a
	}
	b := p.another(a)
	if p.backends[b].InFlight()*int64(p.weights[a]) < p.backends[a].InFlight()*int64(p.weights[b]) {
		return b
	}
	return a
}
