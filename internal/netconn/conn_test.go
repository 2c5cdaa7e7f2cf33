package netconn_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/netconn"
)

func TestReceivedCountsWhatWasRead(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		require.Zero(t, w.Received())
		go func() {
			w.peer.Write(make([]byte, 10))
			w.peer.Write(make([]byte, 1000))
			w.peer.Close()
		}()
		_, err := io.ReadFull(w, make([]byte, 7))
		require.NoError(t, err)
		require.EqualValues(t, 7, w.Received())
		_, err = io.ReadAll(w)
		require.NoError(t, err)
		require.EqualValues(t, 1010, w.Received())
	})
}

func TestWhatIsReadIsWhatThePeerWrote(t *testing.T) {
	wrap(t, func(t *testing.T, w *wrapped) {
		go func() {
			w.peer.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
			w.peer.Close()
		}()
		got, err := io.ReadAll(w)
		require.NoError(t, err)
		require.Equal(t, "GET / HTTP/1.1\r\n\r\n", string(got))
	})
}

func TestAContextCarriesAConnection(t *testing.T) {
	c := netconn.New(&net.TCPConn{}, stall, nil)
	ctx := netconn.NewContext(t.Context(), c)
	require.Same(t, c, netconn.FromContext(ctx))
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	require.Same(t, c, netconn.FromContext(child))

	other := netconn.New(&net.TCPConn{}, stall, nil)
	require.Same(t, other, netconn.FromContext(netconn.NewContext(ctx, other)))
	require.Nil(t, netconn.FromContext(t.Context()))
}

func TestAddressesAreThoseOfTheConnection(t *testing.T) {
	ours, theirs := tcp(t)
	require.Equal(t, theirs.RemoteAddr(), ours.LocalAddr())
	require.Equal(t, theirs.LocalAddr(), ours.RemoteAddr())
}

func TestAConnectionIsBusyWhileItIsSaidToBe(t *testing.T) {
	c := netconn.New(&net.TCPConn{}, stall, nil)
	require.False(t, c.Busy())
	c.SetBusy(true)
	require.True(t, c.Busy())
	c.SetBusy(false)
	require.False(t, c.Busy())
}
