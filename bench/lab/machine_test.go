package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inLab returns the words that a command prints there.
func inLab(t *testing.T, command ...string) []string {
	t.Helper()
	out, err := exec.Command("../../scripts/bench-lab", command...).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Fields(string(out))
}

func TestLabTellsWhoseNetworkItIs(t *testing.T) {
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Skip("there are no namespaces here:", err)
	}
	said := inLab(t, "sh", "-c", "echo $BENCH_NETWORK; readlink /proc/self/ns/net; cat /proc/sys/net/ipv4/tcp_congestion_control")
	require.Len(t, said, 3)
	if said[0] == "machine" {
		require.Equal(t, ours, said[1])
		return
	}
	require.Equal(t, "own", said[0])
	require.NotEqual(t, ours, said[1])
	allowed, err := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	require.NoError(t, err)
	want := "reno"
	if strings.Contains(string(allowed), "cubic") {
		want = "cubic"
	}
	require.Equal(t, want, said[2])
}

func TestNetworkIsOnThePage(t *testing.T) {
	t.Setenv("BENCH_NETWORK", "own")
	require.Contains(t, Origin("make"), "- Network: a loopback of the bench's own, without a firewall; TCP's congestion control is ")
	t.Setenv("BENCH_NETWORK", "machine")
	require.Contains(t, Origin("make"), "- Network: the machine's loopback and its firewall, if it has one; ")
}
