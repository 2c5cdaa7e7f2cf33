//go:build linux && !386

package socket_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/socket"
)

// accepting has somebody in Accept until l is closed.
func accepting(t testing.TB, l *socket.Listener) <-chan *socket.Conn {
	t.Helper()
	accepted := make(chan *socket.Conn, 1)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c.(*socket.Conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range accepted {
			c.Close()
		}
	})
	return accepted
}

func TestANewcomerBeginsWhenItHasSaidSomething(t *testing.T) {
	for name, say := range map[string]func(c *net.TCPConn) error{
		"a byte":  func(c *net.TCPConn) error { _, err := c.Write([]byte("x")); return err },
		"the end": (*net.TCPConn).CloseWrite,
		"a reset": func(c *net.TCPConn) error { _ = c.SetLinger(0); return c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			one, client := connect(t, l)
			other, _ := connect(t, l)
			accepting(t, l)
			begun, not := begins(one), begins(other)
			waits(t, begun)
			require.NoError(t, say(client))
			await(t, begun, name)
			waits(t, not)
		})
	}
}

func TestANewcomerThatHasSaidSomethingAlready(t *testing.T) {
	l := listen(t)
	c, client := connect(t, l)
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	begun := begins(c)
	accepting(t, l)
	await(t, begun, "it is there")
}

// Whoever ends its waiting, or bounds it, has it begin: it is to see that.
func TestANewcomerBeginsWhenItIsNotToWait(t *testing.T) {
	for name, end := range map[string]func(c *socket.Conn) error{
		"deadline":       func(c *socket.Conn) error { return c.SetDeadline(time.Unix(1, 0)) },
		"read deadline":  func(c *socket.Conn) error { return c.SetReadDeadline(time.Unix(1, 0)) },
		"write deadline": func(c *socket.Conn) error { return c.SetWriteDeadline(time.Unix(1, 0)) },
		"close":          (*socket.Conn).Close,
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			before, _ := connect(t, l)
			require.NoError(t, end(before))
			await(t, begins(before), "before Begin")

			after, _ := connect(t, l)
			begun := begins(after)
			waits(t, begun)
			require.NoError(t, end(after))
			await(t, begun, "after Begin")
		})
	}
}

// None is left out whose end comes at the same time.
func TestANewcomerBeginsOnceWhateverComesMeanwhile(t *testing.T) {
	l := listen(t)
	accepted := accepting(t, l)
	ends := []func(c *socket.Conn){
		func(c *socket.Conn) { c.Close() },
		func(c *socket.Conn) { _ = c.SetReadDeadline(time.Unix(1, 0)) },
	}
	for i := range 2000 {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		c := <-accepted
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ends[i%len(ends)](c)
		}()
		begun := begins(c)
		<-ended
		await(t, begun, "it has ended")
		c.Close()
		client.Close()
	}
}

func TestNewcomersBeginWhenNobodyLooksAfterThem(t *testing.T) {
	for name, end := range map[string]func(l *socket.Listener) error{
		"close": (*socket.Listener).Close,
		"deadline": func(l *socket.Listener) error {
			_ = l.SetDeadline(time.Unix(1, 0))
			_, err := l.Accept()
			if os.IsTimeout(err) {
				err = nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			one, _ := connect(t, l)
			other, _ := connect(t, l)
			late, _ := connect(t, l)
			begun, too := begins(one), begins(other)
			require.NoError(t, end(l))
			await(t, begun, "one")
			await(t, too, "the other")
			if name != "close" {
				return
			}
			for range 8 { // one of them has the descriptor that was its epoll's
				epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
				require.NoError(t, err)
				defer syscall.Close(epoll)
			}
			await(t, begins(late), "it is too late")
		})
	}
}

// Who has begun and waits does so by way of Go's poller, beside its newcomers.
func TestWhatComesAfterwardsIsRead(t *testing.T) {
	l := listen(t)
	accepted := accepting(t, l)
	for range 50 {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		c := <-accepted
		echoed := make(chan error, 1)
		c.Begin(func() {
			go func() {
				_, err := io.Copy(c, c)
				c.Close()
				echoed <- err
			}()
		})
		for _, part := range []string{"one", "two", "three"} {
			_, err = client.Write([]byte(part))
			require.NoError(t, err)
			got := make([]byte, len(part))
			_, err = io.ReadFull(client, got)
			require.NoError(t, err)
			require.Equal(t, part, string(got))
		}
		require.NoError(t, client.(*net.TCPConn).CloseWrite())
		require.NoError(t, <-echoed)
		client.Close()
	}
}

// Clients who connect do not keep others waiting.
func TestNewcomersHaveTheirTurn(t *testing.T) {
	l := listen(t)
	c, client := connect(t, l)
	begun := begins(c)
	for range 200 {
		another, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer another.Close()
	}
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	for range 65 { // as many as have a turn, and one
		another, err := l.Accept()
		require.NoError(t, err)
		defer another.Close()
	}
	await(t, begun, "others connect")
}

func TestSilentNewcomersHaveNoGoroutine(t *testing.T) {
	l := listen(t)
	accepted := accepting(t, l)
	before := runtime.NumGoroutine()
	for range 200 {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		c := <-accepted
		c.Begin(func() { go func() {}() })
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}
