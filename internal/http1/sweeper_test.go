package http1

import (
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// A sweeper that a busy machine lets wait takes no wait that began meanwhile for
// an old one.
func TestALateSweeperEndsNoWaitEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Second
		timeouts := config.Timeouts{ClientBody: limit}
		s := newSweeper(timeouts)
		s.allow(&settings{Settings: records.Settings{Timeouts: timeouts}})
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		c := &conn{Conn: ours}
		s.add(c)
		stop, began := make(chan struct{}), make(chan bool, 1)
		late := func(now uint64) {
			if now == 1 {
				time.Sleep(10 * limit)
				c.reading.begin(aRequestBody, s.now.Load())
				began <- true
			}
		}
		go s.run(stop, late)
		defer close(stop)
		<-began
		time.Sleep(limit - time.Millisecond)
		synctest.Wait()
		f, _ := c.reading.get()
		require.Equal(t, aRequestBody, f, "ended early")
		time.Sleep(2*s.tick + time.Millisecond)
		require.Equal(t, hop.ClientTimeout, c.reading.end())
	})
}

// Unused connections are looked at while they are taken and given back.
func TestConnectionsAreSweptBesideTheirUse(t *testing.T) {
	r := newRig(t, []string{repeating(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")})
	ask := asking(t, r.addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	var sweeping sync.WaitGroup
	done := make(chan struct{})
	sweeping.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				r.plane.upstreamOf(r.pool.Backends()[0]).sweep(r.plane.sweeper.now.Load())
			}
		}
	})
	ask(500)
	close(done)
	sweeping.Wait()
	require.Empty(t, r.changes)
}
