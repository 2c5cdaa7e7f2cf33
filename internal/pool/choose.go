package pool

import (
	"math/rand/v2"
	"slices"
)

// choose finds who is next, by its index among the eligible: whom the policy
// says, or another where that one has no room, or the request was tried before.
// That is nobody's turn: if it were, a backend that fails would come first more
// often than the others.
func (s *snapshot) choose(key Key, tried []*Backend) (int, error) {
	if len(s.eligible) == 0 {
		return 0, ErrNoneAlive
	}
	if len(tried) > 0 {
		return s.another(key, tried)
	}
	if i := s.policy.pick(key); !s.bounded || s.hasRoom(i) {
		return i, nil
	}
	return s.another(key, nil)
}

func (s *snapshot) hasRoom(i int) bool {
	return s.bounds[i] == 0 || s.eligible[i].InFlight() < s.bounds[i]
}

// another draws by weight from the rest, so that no neighbour inherits what one
// that is full is spared. With a key the draw is the same as long as the rest is.
func (s *snapshot) another(key Key, tried []*Backend) (int, error) {
	chosen, sum, full := -1, uint64(0), false
	for i, b := range s.eligible {
		if slices.Contains(tried, b) {
			continue
		}
		if !s.hasRoom(i) {
			full = true
			continue
		}
		weight := uint64(s.weights[i])
		sum += weight
		if s.draw(key, sum) < weight {
			chosen = i
		}
	}
	switch {
	case chosen >= 0:
		return chosen, nil
	case full:
		return 0, ErrOverloaded
	}
	return 0, ErrNoneLeft
}

// draw is a number below sum.
func (s *snapshot) draw(key Key, sum uint64) uint64 {
	if s.keyed && key != NoKey {
		return mix(uint64(key)^mix(sum)) % sum
	}
	return rand.Uint64N(sum)
}

// bounds are those of the leases of each; p.mu is held.
func (p *ServerPool) bounds(eligible []*Backend) (bounds []int64, bounded bool) {
	bounds = make([]int64, len(eligible))
	for i, b := range eligible {
		if bounds[i] = int64(b.bound); b.bound == 0 {
			bounds[i] = int64(p.settings.BackendMaxInFlight)
		}
		bounded = bounded || bounds[i] > 0
	}
	return bounds, bounded
}
