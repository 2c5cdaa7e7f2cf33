package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// idleClients is set in the process that plays clients, to the proxy's address.
const idleClients = "HTTP1_IDLE_CLIENTS"

func TestMain(m *testing.M) {
	if addr := os.Getenv(idleClients); addr != "" {
		beIdle(addr)
		return
	}
	os.Exit(m.Run())
}

const manyConns = 5000

// beIdle opens connections, asks for something on each, says so, and keeps them
// until stdin ends.
func beIdle(addr string) {
	buf := make([]byte, 4096)
	var conns []net.Conn
	for range manyConns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		conns = append(conns, c)
		_, _ = io.WriteString(c, smallRequest)
		if n, err := c.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200 ")) {
			fmt.Printf("%q, %v\n", buf[:n], err)
			return
		}
	}
	fmt.Println("idle")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		c.Close()
	}
}

// residentMemory is this process's, in bytes, after a garbage collection
// (Linux; VmRSS in proc_pid_status(5)).
func residentMemory(t *testing.T) int64 {
	t.Helper()
	for range 3 { // stacks shrink, and pools are emptied, with the second
		debug.FreeOSMemory()
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	var kib int64
	_, after, _ := bytes.Cut(status, []byte("VmRSS:"))
	_, err = fmt.Sscan(string(after), &kib)
	require.NoError(t, err)
	return kib << 10
}

// A connection that waits for its next request holds no buffer.
// Of it 4 KiB are the stack, and most of the rest is net's and the runtime's.
func TestIdleConnectionsCostLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	const most = 6 << 10
	r := quietRig(t, repeating(t, smallAnswer))
	asking(t, r.addr, smallRequest)(1000)
	before := residentMemory(t)

	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), idleClients+"="+r.addr)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	require.Equal(t, "idle\n", line)
	each := (residentMemory(t) - before) / manyConns
	stdin.Close()
	require.NoError(t, cmd.Wait())
	t.Logf("%d bytes each", each)
	require.LessOrEqual(t, each, int64(most))
	require.Eventually(t, func() bool { // and they are gone
		r.plane.sweeper.mu.Lock()
		defer r.plane.sweeper.mu.Unlock()
		return len(r.plane.sweeper.conns) < 10
	}, 10*time.Second, 10*time.Millisecond)
}
