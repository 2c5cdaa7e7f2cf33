package proxy

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// It would keep the exchange in memory for an hour.
func TestClosedTunnelHasNoTimer(t *testing.T) {
	for name, late := range map[string]int{"closed": 0, "closed while bytes arrived": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, _ := net.Pipe()
				fired := false
				c := &tunnel{Conn: conn, limit: time.Hour, watchdog: time.AfterFunc(time.Hour, func() { fired = true })}
				require.NoError(t, c.Close())
				c.progress(late)
				time.Sleep(2 * time.Hour)
				require.False(t, fired)
			})
		})
	}
}
