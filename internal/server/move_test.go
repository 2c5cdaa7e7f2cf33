package server_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/server"
	"go-proxy/internal/testkit"
)

func TestAMoveTakesNewClientsToTheNewAddress(t *testing.T) {
	bubble(t, func(r *rig) {
		p := new(plane)
		r.run(p)
		old := r.dial()
		before, after := r.listener, newMemory()
		r.server.Move(after)
		synctest.Wait()
		select {
		case <-before.closed:
		default:
			require.Fail(t, "the old address is still bound")
		}
		r.listener = after
		r.dial()
		require.Len(t, p.accepted(), 2)
		require.Equal(t, []string{"Serve"}, p.noted(), "the plane notices nothing")
		go p.accepted()[0].Write([]byte("x"))
		got := make([]byte, 1)
		_, err := old.Read(got)
		require.NoError(t, err, "who is connected stays")
		before.closeAll()
	})
}

func TestAnEndBehindAMoveRefusesNewClients(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run(new(plane))
		r.server.Move(newMemory())
		after := newMemory()
		r.server.Move(after)
		r.stop()
		require.Equal(t, end{}, <-r.ended)
		<-after.closed
	})
}

func TestAMoveBehindTheEndClosesTheNewAddress(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run(new(plane))
		r.stop()
		<-r.ended
		late := newMemory()
		r.server.Move(late)
		<-late.closed
	})
}

func TestTheGraceAndTheStallMayChange(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _ := served(r, 1)
		r.server.Allow(2*stall, 2*grace)
		r.dial()
		p.accepted()[1].SetBusy(true)
		start := time.Now()
		_, err := p.accepted()[1].Write([]byte("x"))
		require.Error(t, err)
		require.Equal(t, 2*(stall+stall/4), time.Since(start))
		r.stop()
		require.Equal(t, end{cut: 2, after: 2 * grace}, <-r.ended)
	})
}

// Over real sockets: no client that the kernel has connected is reset by a
// move, and everybody who connects to the address of the moment is served.
func TestNobodyIsLostByAMove(t *testing.T) {
	s, err := server.Listen("127.0.0.1:0", time.Minute, time.Minute, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, ctx, server.NewHTTP(handler, timeouts, limits, slog.New(slog.DiscardHandler))) })
	defer running.Wait()
	defer stop()
	kept := testkit.Dial(t, s.Addr().String())
	for range 20 {
		var waiting []*testkit.Peer
		for range 50 {
			waiting = append(waiting, testkit.Dial(t, s.Addr().String()))
		}
		old := s.Addr().String()
		next, err := server.Bind("127.0.0.1:0")
		require.NoError(t, err)
		s.Move(next)
		waiting = append(waiting, testkit.Dial(t, s.Addr().String()))
		for _, p := range append(waiting, kept) {
			p.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, body := p.Response("GET")
			require.Equal(t, "ok", body)
		}
		for _, p := range waiting {
			p.Close()
		}
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", old)
			if err == nil {
				conn.Close()
			}
			return err != nil
		}, testkit.Patience, time.Millisecond, "the old address refuses")
	}
}
