package http1

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// sendAround sends text, an urgent byte that is no part of it, and text again.
// A splice goes no further than to that byte, and says that this is the end if
// the peer has done.
func sendAround(t *testing.T, p *testkit.Peer, text string) {
	p.Send(text)
	socket, err := p.Conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, socket.Write(func(fd uintptr) bool {
		err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil)
		return err != syscall.EAGAIN
	}))
	require.NoError(t, err)
	p.Send(text)
}

// Of more, the kernel drops and repeats some, for it is slow about urgent data.
const around = 1 << 20

func TestWhatIsBehindAnUrgentByteIsPassedOn(t *testing.T) {
	for name, c := range map[string]struct{ request, head string }{
		"by length":   {plainGet, "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n"},
		"until close": {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"},
		"tunnel":      {askToSwitch, switched},
	} {
		t.Run(name, func(t *testing.T) {
			byPipeAndByCopy(t, func(t *testing.T) {
				r := newRig(t, []string{testkit.Script(t, func(p *testkit.Peer) {
					p.Head()
					p.Send(c.head)
					sendAround(t, p, bulkText()[:around])
				})})
				p := r.dial()
				p.Send(c.request)
				p.Head()
				body := p.Take(2 * around)
				require.True(t, body == bulkText()[:around]+bulkText()[:around], "%d bytes", len(body))
				if c.head == switched {
					p.CloseWrite()
				}
				record := r.record()
				require.Equal(t, hop.None, record.Cause)
				require.EqualValues(t, 2*around, record.Sent)
				requireUse(t)
			})
		})
	}
}
