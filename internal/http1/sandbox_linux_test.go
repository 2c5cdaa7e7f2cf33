package http1

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// There are sandboxes that do not let a program splice; one that is made here
// stays, so that it is made for a process of its own.
func TestWhereSpliceIsForbiddenBytesAreCopied(t *testing.T) {
	const forbidden = "SPLICE_IS_FORBIDDEN"
	refusals := map[string]unix.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}
	if name := os.Getenv(forbidden); name != "" {
		forbid(t, unix.SYS_SPLICE, refusals[name])
		_, err := unix.Splice(-1, nil, -1, nil, 1, 0)
		require.Equal(t, refusals[name], err)
		t.Run("answers", TestLongAnswersPassWhole)
		t.Run("requests", TestLongRequestsPassWhole)
		t.Run("tunnels", TestLongTunnelsPassWhole)
		return
	}
	for name := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := exec.Command(os.Args[0], "-test.run=^TestWhereSpliceIsForbiddenBytesAreCopied$", "-test.v")
			again.Env = append(os.Environ(), forbidden+"="+name)
			out, err := again.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "--- PASS: TestWhereSpliceIsForbiddenBytesAreCopied/tunnels/pipe")
		})
	}
}

// forbid has the kernel refuse a system call to all threads of this process
// (seccomp(2)).
func forbid(t *testing.T, call uint32, refusal unix.Errno) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const number = 0 // where it is in struct seccomp_data (Linux, linux/seccomp.h)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(refusal)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	require.Zero(t, errno, errno.Error())
}
