package stack

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// host runs programs in one mode.
type host interface {
	// backend makes a sample backend with the fault lab, the n-th of its stack.
	backend(name string, n int) instance
	// file keeps the text where the proxy can read it, and returns the path that
	// the proxy has for it, and this host's.
	file(text string) (seen, here string)
	// proxy makes a reverse proxy that has the environment.
	proxy(env map[string]string) instance
}

// instance is a program that can be started, ended and started again. It keeps
// its addresses.
type instance interface {
	start()
	// addr is where the test reaches it, peerAddr where the other programs of
	// the stack do. Both are known once it has started.
	addr() string
	peerAddr() string
	// signal sends SIGTERM, SIGINT, SIGKILL or SIGHUP.
	signal(syscall.Signal)
	// wait returns the exit code when the program has ended.
	wait() int
	pause()
	resume()
	disconnect()
	connect()
	// pid is that of the program, as this host sees it.
	pid() int
	stdout() *Output
	stderr() *Output
}

func newHost(t testing.TB, mode Mode) host {
	switch mode {
	case InProcess:
		return &processHost{t}
	case Binaries:
		return &binaryHost{t: t}
	default:
		return newContainerHost(t)
	}
}

// awaitEnd waits until a program has ended.
func awaitEnd(t testing.TB, ended <-chan struct{}, name string) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(Patience):
		require.FailNow(t, name+" is still running")
	}
}

// outputs are the streams of an instance.
type outputs struct{ out, err Output }

func (o *outputs) stdout() *Output { return &o.out }
func (o *outputs) stderr() *Output { return &o.err }

// unable are the faults that a mode cannot have. A behaviour that needs one
// leaves that mode out.
type unable struct{ t testing.TB }

func (u unable) pause()      { u.t.Fatal("this mode cannot pause a program") }
func (u unable) resume()     { u.t.Fatal("this mode cannot resume a program") }
func (u unable) disconnect() { u.t.Fatal("this mode cannot take a network away") }
func (u unable) connect()    { u.t.Fatal("this mode cannot give a network back") }
func (u unable) pid() int    { u.t.Fatal("this mode has no process of its own"); return 0 }
