package http1

import (
	"syscall"

	"go-proxy/internal/socket"
)

// ask writes p over a socket and waits for the first of what comes then: a write
// and a read in one, without the attempt to read that would find nothing yet (5 %
// of a small exchange). Whoever is to wake it is told before the write, so that
// no answer is missed. What is not taken at once it returns to be written; and
// notQuiet, with nothing written, if something has come over a connection that
// was used before.
func (c *conn) ask(p []byte) (rest []byte, err error) {
	if c.askSome == nil {
		c.askSome = c.rawAsk
	}
	c.rest, c.readErr = p, nil
	err = c.socket.Read(c.askSome)
	if err == nil {
		err = c.readErr
	}
	rest, c.rest = c.rest, nil
	return rest, err
}

// rawAsk is true when there is something to read, or an end, or what is left
// has to wait.
func (c *conn) rawAsk(fd uintptr) bool {
	if len(c.rest) == 0 {
		return c.rawRead(fd)
	}
	if c.reused && !socket.Quiet(fd) {
		c.readErr = notQuiet
		return true
	}
	n, err := socket.Write(fd, c.rest)
	c.reset = err == syscall.ECONNRESET
	c.took = n > 0
	c.rest = c.rest[max(n, 0):]
	// Over a fresh one something may have come before the poller was told.
	return len(c.rest) > 0 || !c.reused && c.rawRead(fd)
}
