package pool_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// fallen is how many of n backends soft failures take down, however many there
// are of them.
func fallen(t *testing.T, n, threshold int, fail func(pool.Lease, string)) (down int) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: threshold}), nil, many(n)...)
	for range 20 * n * threshold {
		if lease, err := p.Acquire(pool.NoKey); err == nil {
			fail(lease, "reset_before_response")
		}
	}
	for _, one := range b {
		if one.State() == pool.Down {
			down++
		}
	}
	return down
}

func TestSoftFailuresTakeHalfDownAtMostAndNeverTheLast(t *testing.T) {
	for n, most := range map[int]int{1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 10: 5} {
		require.Equal(t, most, fallen(t, n, 2, pool.Lease.FailedSoftly), "of %d", n)
		require.Equal(t, n, fallen(t, n, 2, pool.Lease.Failed), "hard ones have no such bound: of %d", n)
		require.Equal(t, n, fallen(t, n, 1, pool.Lease.FailedSoftly), "nor has a threshold of 1: of %d", n)
	}
}

// Those that probes took down do not count as soft; of those that are left the
// last stays.
func TestProbesMakeNoRoomForTheLast(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 2}), nil, "a", "b", "c", "d")
	for _, one := range b[:2] {
		p.ObserveProbe(one, errProbe)
	}
	for range 20 {
		acquire(t, p).FailedSoftly("bad_response")
	}
	require.NotEqual(t, b[2].State(), b[3].State(), "one of the two is down")
}

// A probe that fails, too, makes room for another: then it was not the requests.
func TestAFailedProbeIsNoSoftReason(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 2}), nil, "a", "b", "c")
	down := func() (all []*pool.Backend) {
		for range 40 {
			acquire(t, p).FailedSoftly("bad_response")
		}
		for _, one := range b {
			if one.State() == pool.Down {
				all = append(all, one)
			}
		}
		return all
	}
	first := down()
	require.Len(t, first, 1)
	require.False(t, p.ObserveProbe(first[0], errProbe))
	require.Len(t, down(), 2)
}

func TestAnEjectedBackendWaitsForItsReadmission(t *testing.T) {
	s := defaults
	s.Ejects = true
	p, b := settled(t, s, nil, "a", "b")
	acquire(t, p).Failed("dial_refused")
	require.False(t, p.ObserveProbe(b[0], nil))
	require.Equal(t, pool.Down, b[0].State())
	p.Readmit(b[0])
	require.True(t, p.ObserveProbe(b[0], nil))

	p.ObserveProbe(b[0], errProbe)
	require.True(t, p.ObserveProbe(b[0], nil), "a probe that failed ejects nobody")

	for b[0].State() == pool.Up {
		acquire(t, p).Failed("dial_refused")
	}
	p.Update(members(t, "a", "b"), defaults)
	require.True(t, p.ObserveProbe(b[0], nil), "nor does what is not in force any more")
}

func TestExplainSaysWhoIsOutAndWhy(t *testing.T) {
	s := bounded(0, 0, 0)
	s.Policy = "least_connections"
	p, b := settled(t, s, nil, "a=3", "b", "c!", "d", "e")
	wanted := members(t, "a=3", "b", "c!", "d", "e", "f")
	wanted[3].Drain, wanted[4].MaxInFlight = true, 1
	p.Update(wanted, s)
	p.ObserveProbe(b[1], fmt.Errorf("odd \"\r\n reason"))
	for b[4].InFlight() == 0 {
		acquire(t, p)
	}
	require.Equal(t, []string{
		"policy least_connections",
		fmt.Sprintf("candidate http://a state=up weight=3 in_flight=%d", b[0].InFlight()),
		`excluded http://b state=down weight=1 in_flight=0 because="odd \"\r\n reason"`,
		`excluded http://c state=up weight=1 in_flight=0 because="backup"`,
		`excluded http://d state=up weight=1 in_flight=0 because="drains"`,
		`excluded http://e state=up weight=1 in_flight=1 because="full"`,
		`excluded http://f state=unknown weight=1 in_flight=0 because="not yet probed"`,
	}, p.Explain())
}

// What took a backend down before it recovered says nothing of why it is down now.
func TestARecoveryEndsASoftReason(t *testing.T) {
	p, b := settled(t, only(pool.Thresholds{Rise: 1, Fall: 1, PassiveFall: 2}), nil, "a", "b", "c")
	for b[0].State() == pool.Up {
		acquire(t, p).FailedSoftly("bad_response")
		if down := b[1].State() == pool.Down || b[2].State() == pool.Down; down {
			p.ObserveProbe(b[1], nil)
			p.ObserveProbe(b[2], nil)
		}
	}
	p.ObserveProbe(b[0], nil)
	p.ObserveProbe(b[0], errProbe)
	for range 20 {
		acquire(t, p).FailedSoftly("bad_response")
	}
	require.NotEqual(t, b[1].State(), b[2].State(), "one of the two is down: the first is so for a hard reason")
}
