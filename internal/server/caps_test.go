package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/server"
	"go-proxy/internal/testkit"
)

// remote is a connection that came from the address.
type remote struct {
	net.Conn
	addr  net.Addr
	reset bool
}

func (c *remote) RemoteAddr() net.Addr { return c.addr }

func (c *remote) SetLinger(seconds int) error {
	c.reset = seconds == 0
	return nil
}

// admits connects a client of the address and reports whether the plane gets
// it. If not, it must have been reset at once, and unread.
func admits(r *rig, p *plane, addr string) bool {
	r.t.Helper()
	ours, theirs := net.Pipe()
	c := &remote{Conn: ours, addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 50000))}
	before := len(p.accepted())
	r.dialOver(c, theirs)
	admitted := len(p.accepted()) > before
	require.NotEqual(r.t, admitted, c.reset, "it is admitted, or it is reset")
	if !admitted {
		require.Zero(r.t, (&client{Conn: theirs, t: r.t}).refused())
	}
	return admitted
}

// refused is how much is taken by whoever has closed the connection.
func (c *client) refused() int {
	n, err := c.Write([]byte("GET"))
	require.Error(c.t, err)
	return n
}

// capped runs f over a server with the caps.
func capped(t *testing.T, inAll, ofOne int, f func(r *rig, p *plane)) {
	t.Helper()
	bubble(t, func(r *rig) {
		p := new(plane)
		r.server.Cap(inAll, ofOne)
		r.run(p)
		f(r, p)
	})
}

func TestAConnectionAboveTheCapIsReset(t *testing.T) {
	capped(t, 3, 0, func(r *rig, p *plane) {
		for _, addr := range []string{"10.0.0.1", "10.0.0.2", "::1"} {
			require.True(t, admits(r, p, addr))
		}
		require.False(t, admits(r, p, "10.0.0.1"))
		require.False(t, admits(r, p, "10.0.0.4"))
		go p.accepted()[0].Write([]byte("x"))
		_, err := r.listener.peers[0].Read(make([]byte, 1))
		require.NoError(t, err, "those that are there are left alone")
		p.accepted()[1].Close()
		require.True(t, admits(r, p, "10.0.0.4"))
		require.False(t, admits(r, p, "10.0.0.5"))
	})
}

func TestEachClientHasACapOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct{ same, other []string }{
		"IPv4":          {[]string{"10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"}, []string{"10.0.0.2", "::ffff:10.0.0.3"}},
		"a /64 of IPv6": {[]string{"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::"}, []string{"2001:db8::1", "2001:db8:0:2::1"}},
		"in a zone":     {[]string{"fe80::1%eth0", "fe80::2%eth0", "fe80::3"}, []string{"::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			capped(t, 0, 2, func(r *rig, p *plane) {
				require.True(t, admits(r, p, c.same[0]))
				require.True(t, admits(r, p, c.same[1]))
				require.False(t, admits(r, p, c.same[2]))
				for _, addr := range c.other {
					require.True(t, admits(r, p, addr))
				}
				p.accepted()[0].Close()
				require.True(t, admits(r, p, c.same[2]))
				require.False(t, admits(r, p, c.same[0]))
			})
		})
	}
}

func TestBothCapsHold(t *testing.T) {
	capped(t, 3, 2, func(r *rig, p *plane) {
		require.True(t, admits(r, p, "10.0.0.1"))
		require.True(t, admits(r, p, "10.0.0.1"))
		require.False(t, admits(r, p, "10.0.0.1"))
		require.True(t, admits(r, p, "10.0.0.2"))
		require.False(t, admits(r, p, "10.0.0.2"))
	})
}

func TestAConnectionCountsUntilItIsClosedAndOnce(t *testing.T) {
	capped(t, 2, 2, func(r *rig, p *plane) {
		require.True(t, admits(r, p, "10.0.0.1"))
		require.True(t, admits(r, p, "10.0.0.1"))
		for range 3 {
			p.accepted()[0].Close()
		}
		require.True(t, admits(r, p, "10.0.0.1"))
		require.False(t, admits(r, p, "10.0.0.1"), "three closes of one connection make room for one")
	})
}

func TestCapsMayChange(t *testing.T) {
	const addr = "10.0.0.1"
	capped(t, 0, 0, func(r *rig, p *plane) {
		for range 3 {
			require.True(t, admits(r, p, addr))
		}
		r.server.Cap(0, 3)
		require.False(t, admits(r, p, addr), "those that are there count")
		r.server.Cap(0, 4)
		require.True(t, admits(r, p, addr))
		r.server.Cap(2, 0)
		require.False(t, admits(r, p, addr))
		p.accepted()[0].Close()
		p.accepted()[1].Close()
		require.False(t, admits(r, p, addr), "there are two")
		r.server.Cap(0, 2)
		require.False(t, admits(r, p, addr), "and they are this client's")
		p.accepted()[2].Close()
		require.True(t, admits(r, p, addr))
		r.server.Cap(0, 0)
		require.True(t, admits(r, p, addr))
	})
}

func TestRefusalsAreToldOnceASecond(t *testing.T) {
	capped(t, 2, 1, func(r *rig, p *plane) {
		line := func(counts string) string {
			return `level=WARN msg="too many connections: new ones are reset" ` + counts + "\n"
		}
		admits(r, p, "10.0.0.1")
		require.Empty(t, r.log.take())
		admits(r, p, "10.0.0.1")
		require.Contains(t, r.log.take(), line("refused=1 of_one_client=1 last=10.0.0.1:50000"))
		admits(r, p, "10.0.0.2")
		for range 5 {
			admits(r, p, "10.0.0.3")
		}
		time.Sleep(time.Second - 1)
		synctest.Wait()
		require.Empty(t, r.log.take())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Contains(t, r.log.take(), line("refused=5 of_one_client=0 last=10.0.0.3:50000"))
		time.Sleep(time.Hour)
		require.Empty(t, r.log.take())
		admits(r, p, "10.0.0.4")
		require.Contains(t, r.log.take(), line("refused=1 of_one_client=0 last=10.0.0.4:50000"))
		admits(r, p, "10.0.0.5")
		r.stop()
		<-r.ended
		require.Contains(t, r.log.take(), line("refused=1 of_one_client=0 last=10.0.0.5:50000"), "none goes untold")
	})
}

// Over real sockets, from many goroutines: never more than the cap at a time,
// and in the end there is room for all of it.
func TestCapsHoldUnderConcurrency(t *testing.T) {
	const most, clients, dials = 5, 8, 200
	s, err := server.Listen("127.0.0.1:0", time.Minute, time.Minute, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s.Cap(most, most)
	ctx, stop := context.WithCancel(context.Background())
	var open, peak atomic.Int64
	plane := server.NewHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := open.Add(1)
		defer open.Add(-1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
	}), timeouts, limits, slog.New(slog.DiscardHandler))
	var running, asking sync.WaitGroup
	running.Go(func() { s.Run(ctx, ctx, plane) })
	defer running.Wait()
	defer stop()
	var refused atomic.Int64
	for range clients {
		asking.Go(func() {
			for range dials {
				if conn := answered(s); conn != nil {
					conn.Close()
				} else {
					refused.Add(1)
				}
			}
		})
	}
	asking.Wait()
	require.LessOrEqual(t, peak.Load(), int64(most))
	require.Positive(t, refused.Load())
	for range most {
		require.Eventually(t, func() bool {
			conn := answered(s)
			if conn != nil {
				t.Cleanup(func() { conn.Close() })
			}
			return conn != nil
		}, testkit.Patience, time.Millisecond)
	}
	require.Nil(t, answered(s))
}

// answered is a connection over which one request was answered; nil if there
// was none to be had.
func answered(s *server.Server) net.Conn {
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		return nil
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if n, _ := conn.Read(make([]byte, 1)); n == 0 {
		conn.Close()
		return nil
	}
	return conn
}
