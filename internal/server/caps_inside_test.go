package server

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
)

// Who has no connection left takes no memory.
func TestAClientThatHasLeftIsForgotten(t *testing.T) {
	s := New(nil, time.Minute, time.Minute, nil)
	s.Cap(0, 2)
	ours, _ := net.Pipe()
	c := netconn.New(ours, time.Minute, s.forget)
	require.Equal(t, none, s.admit(c))
	require.Len(t, s.caps.counts, 1)
	c.Close()
	require.Empty(t, s.caps.counts)
}
