package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// exchangeBudget is how many allocations the whole way of a small request may
// cost, net/http's server included: it is 88, and 94 under the race detector,
// which makes sync.Pool forget things. Bare httputil takes 77.
const exchangeBudget = 94

// The client and the backend allocate nothing, so what is counted is the
// proxy's.
func TestExchangeKeepsItsAllocationBudget(t *testing.T) {
	c := dial(t, startProxy(t, startBackend(t)), get("/"))
	allocs := testing.AllocsPerRun(500, func() { require.NoError(t, c.ask()) })
	t.Logf("%v allocations", allocs)
	require.LessOrEqual(t, allocs, float64(exchangeBudget))
}
