package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStayHasTheProgramOnThatCoreAlone(t *testing.T) {
	const again = "LAB_TEST_STAY"
	cores := field("/proc/self/status", "Cpus_allowed_list")
	if os.Getenv(again) != "" {
		require.NoError(t, Stay(LoadCore))
		fmt.Println("runs on", cores)
		return
	}
	if runtime.NumCPU() < 2 || exec.Command("taskset", "-c", "1", "true").Run() != nil {
		t.Skip("no program can be on core 1 alone here")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), again+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `^runs on 1\n`, string(out))
}
