package stack

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Seed is E2E_SEED, or a new one. It is shown when the test fails, so that the
// same dice can be thrown again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("E2E_SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, "E2E_SEED")
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("E2E_SEED=%d", seed)
		}
	})
	return seed
}
