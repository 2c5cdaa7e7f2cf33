package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUTimeAddsUserAndSystem(t *testing.T) {
	d, err := cpuTime("42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 123 45 0 0 20 0 5 0 100 1000 10")
	require.NoError(t, err)
	require.Equal(t, 1680*time.Millisecond, d)
	_, err = cpuTime("42 (a)")
	require.Error(t, err)
}

func TestBusyTimeLeavesOutIdleTime(t *testing.T) {
	d, err := busyTime("cpu  100 10 1 5000 600 70 80 2 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
	require.NoError(t, err)
	require.Equal(t, 2630*time.Millisecond, d)
	_, err = busyTime("intr 1")
	require.Error(t, err)
}

func TestHighWaterMark(t *testing.T) {
	require.EqualValues(t, 16332<<10, highWaterMark("VmPeak:\t 1 kB\nVmHWM:\t   16332 kB\nVmRSS:\t 2 kB\n"))
	require.Zero(t, highWaterMark(""))
}
