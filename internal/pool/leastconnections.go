package pool

// leastConnections picks the backend with the fewest leases out for its weight.
// Of equals it is the one whose turn it is by weight; if that is not among them
// they take turns, so that nobody gains by standing behind a busy one.
//
// It looks at every backend, at busy moments twice. By BenchmarkPick that is some
// 2 ns for each: 0.3 µs for 100, 2 µs for 1,000, 26 µs for 10,000. Picks at the
// same moment do not see each other's leases.
type leastConnections struct {
	candidates
	order []uint32
}

func newLeastConnections(c candidates) policy {
	return &leastConnections{c, smooth(c.weights)}
}

func (l *leastConnections) pick(Key) int {
	turn := l.next()
	least, leases, ties := l.least()
	if ties == 1 {
		return least
	}
	if i := int(l.order[turn%uint64(len(l.order))]); l.compare(i, least, leases) == 0 {
		return i
	}
	skip := turn % uint64(ties)
	for i := range l.backends {
		if l.compare(i, least, leases) > 0 {
			continue
		}
		if least = i; skip == 0 {
			break
		}
		skip--
	}
	return least
}

// least is the first of the least loaded, its leases, and how many there are.
func (l *leastConnections) least() (least int, leases int64, ties int) {
	for i := range l.backends {
		if i == 0 {
			leases, ties = l.backends[0].InFlight(), 1
			continue
		}
		switch d := l.compare(i, least, leases); {
		case d < 0:
			least, leases, ties = i, l.backends[i].InFlight(), 1
		case d == 0:
			ties++
		}
	}
	return least, leases, ties
}

// compare is below 0 if backend i has fewer leases for its weight than other
// with so many, above 0 if it has more.
func (l *leastConnections) compare(i, other int, leases int64) int64 {
	return l.backends[i].InFlight()*int64(l.weights[other]) - leases*int64(l.weights[i])
}
