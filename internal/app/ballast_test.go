package app

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBallastRaisesTheCollectorsGoal(t *testing.T) {
	without := heapGoal()
	b := ballast(func(string) string { return "" })
	with := heapGoal()
	runtime.KeepAlive(b)
	require.GreaterOrEqual(t, with-without, uint64(ballastSize))
}

func TestBallastLeavesTheOperatorsSettings(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		require.Nil(t, ballast(func(n string) string { return map[string]string{name: "100"}[n] }), name)
	}
}

// heapGoal is the size of the heap at which the collector will run next.
func heapGoal() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
