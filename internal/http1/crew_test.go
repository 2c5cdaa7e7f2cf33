package http1

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/testkit"
)

// crewOf is how many goroutines serve clients, or wait to.
func crewOf() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "http1.(*crew).work(")
}

func becomes(t *testing.T, want int, what func() int) {
	t.Helper()
	require.Eventually(t, func() bool { return what() == want }, testkit.Patience, time.Millisecond)
}

func TestCrewServesOneClientAfterTheOther(t *testing.T) {
	r := quietRig(t, repeating(t, smallAnswer))
	before := crewOf()
	for range 20 {
		p := r.dial()
		p.Send(strings.Replace(plainGet, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		require.Contains(t, p.Head(), "200 OK")
		p.AwaitEnd()
		require.Eventually(t, func() bool { return len(r.plane.crew.idle) > 0 }, testkit.Patience, time.Millisecond)
	}
	require.Less(t, crewOf(), before+10, "a client may come while one of them is about to wait")
	r.stop()
	require.Equal(t, before, crewOf())
}

func TestFewOfTheCrewWaitForClients(t *testing.T) {
	const many = mostIdle + 40
	r := quietRig(t, repeating(t, smallAnswer))
	before := crewOf()
	var clients []*testkit.Peer
	for range many {
		p := r.dial()
		p.Send(plainGet)
		require.Contains(t, p.Head(), "200 OK")
		clients = append(clients, p)
	}
	require.Equal(t, before+many, crewOf())
	for _, p := range clients {
		p.Close()
	}
	becomes(t, before+mostIdle, crewOf)
	require.Len(t, r.plane.crew.idle, mostIdle)
	r.stop()
	require.Equal(t, before, crewOf())
}

// A client that says nothing costs its connection only.
func TestSilentClientsHaveNobody(t *testing.T) {
	r := quietRig(t, repeating(t, smallAnswer))
	if _, ok := r.dialed().(interface{ Begin(func()) }); !ok {
		t.Skip("here they have a goroutine from the beginning")
	}
	before := crewOf()
	var clients []*testkit.Peer
	for range 100 {
		clients = append(clients, r.dial())
	}
	becomes(t, 101, r.connections)
	require.Equal(t, before, crewOf())
	last := clients[99]
	last.Send(plainGet)
	require.Contains(t, last.Head(), "200 OK")
	require.Equal(t, before+1, crewOf())
}

func (r *rig) connections() int {
	r.plane.sweeper.mu.Lock()
	defer r.plane.sweeper.mu.Unlock()
	n := 0
	for c := range r.plane.sweeper.conns {
		if c.upstream == nil {
			n++
		}
	}
	return n
}

// dialed is the proxy's end of a new connection.
func (r *rig) dialed() net.Conn {
	r.t.Helper()
	r.dial()
	becomes(r.t.(*testing.T), 1, r.connections)
	r.plane.sweeper.mu.Lock()
	defer r.plane.sweeper.mu.Unlock()
	for c := range r.plane.sweeper.conns {
		if c.upstream == nil {
			return c.Conn
		}
	}
	return nil
}

func TestSilentClientsAreEndedInTime(t *testing.T) {
	r := newRig(t, []string{repeating(t, smallAnswer)}, func(c *config.Config) { c.Timeouts.ClientHead = 300 * time.Millisecond })
	start := time.Now()
	p := r.dial()
	p.AwaitEnd()
	require.GreaterOrEqual(t, time.Since(start), 300*time.Millisecond)
	require.Less(t, time.Since(start), testkit.Patience/2)
	require.Empty(t, r.records, "there was no request")
}

func TestSilentClientsDoNotHoldUpTheEnd(t *testing.T) {
	r := quietRig(t, repeating(t, smallAnswer))
	p := r.dial()
	becomes(t, 1, r.connections)
	start := time.Now()
	r.stop()
	require.Less(t, time.Since(start), time.Second)
	p.AwaitEnd()
}

// It was accepted when the drain had looked at all that there were.
func TestSilentClientWhoComesWithTheEndIsEnded(t *testing.T) {
	r := quietRig(t, repeating(t, smallAnswer))
	r.dial()
	becomes(t, 1, r.connections)
	r.plane.draining.Store(true)
	start := time.Now()
	r.dial().AwaitEnd()
	require.Less(t, time.Since(start), testkit.Patience/2)
}
