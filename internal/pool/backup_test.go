package pool_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

func TestBackupsTakeTrafficOnlyWhenNoOtherIsAlive(t *testing.T) {
	for _, policy := range pool.Policies() {
		t.Run(policy, func(t *testing.T) {
			p, b := balanced(t, policy, "x!", "a", "y!", "b")
			primaries := []string{"http://a", "http://b"}
			picked := func() []string {
				var names []string
				for name := range share(t, p, 300) {
					names = append(names, name)
				}
				return names
			}
			require.ElementsMatch(t, primaries, picked())
			p.ObserveProbe(b[1], errProbe)
			require.ElementsMatch(t, primaries[1:], picked(), "one is enough")
			p.ObserveProbe(b[3], errProbe)
			require.ElementsMatch(t, []string{"http://x", "http://y"}, picked())
			p.ObserveProbe(b[0], errProbe)
			require.ElementsMatch(t, []string{"http://y"}, picked())
			p.ObserveProbe(b[2], errProbe)
			_, err := p.GetNextHealthyBackend(pool.NoKey)
			require.ErrorIs(t, err, pool.ErrNoneAlive)
			p.ObserveProbe(b[0], nil)
			p.ObserveProbe(b[1], nil)
			require.ElementsMatch(t, primaries[:1], picked())
		})
	}
}

func TestAnUpdateMakesABackup(t *testing.T) {
	p, _ := settled(t, defaults, nil, "a", "b!")
	require.Equal(t, "a a", sequence(t, p, 2))
	d := p.Update(members(t, "a!", "b"), defaults)
	require.Equal(t, "a b", named(d.Changed))
	require.Equal(t, "b b", sequence(t, p, 2))
}
