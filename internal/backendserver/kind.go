package backendserver

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// garbage is what fault=garbage sends instead of a head.
const garbage = "this is no HTTP\r\n\r\n"

// kind is one way to break an answer off. The connection is gone when run ends.
type kind struct {
	name, help string
	run        func(*delivery)
}

var kinds = []kind{
	{"hang", "never sends a head; ends when the client goes or the server shuts down", (*delivery).hang},
	{"close", "closes the connection before the head (FIN)", (*delivery).close},
	{"reset", "resets the connection before the head (RST)", (*delivery).reset},
	{"close-body", "announces the whole body, sends half of it, closes", (*delivery).closeInBody},
	{"reset-body", "announces the whole body, sends half of it, resets", (*delivery).resetInBody},
	{"garbage", "sends bytes that are no HTTP instead of a head, closes", (*delivery).garble},
}

func kindNames() []string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}

func (d *delivery) hang() {
	select {
	case <-d.r.Context().Done():
	case <-d.released:
	}
	panic(http.ErrAbortHandler)
}

func (d *delivery) close() { closeConn(d.takeConn()) }

func (d *delivery) reset() { resetConn(d.takeConn()) }

func (d *delivery) closeInBody() {
	d.sendHalf()
	d.close()
}

func (d *delivery) resetInBody() {
	d.sendHalf()
	d.reset()
}

func (d *delivery) sendHalf() {
	d.send(d.answer.length / 2)
	d.flush()
}

func (d *delivery) garble() {
	conn := d.takeConn()
	conn.SetWriteDeadline(time.Now().Add(stall))
	io.WriteString(conn, garbage)
	closeConn(conn)
}

// takeConn takes the connection from net/http, which would end it politely.
// Where it cannot be had, as in HTTP/2, the abort resets the stream.
func (d *delivery) takeConn() net.Conn {
	conn, _, err := http.NewResponseController(d.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}

// closeConn sends the FIN first: Close alone resets where bytes of a next
// request lie unread.
func closeConn(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	conn.Close()
}

func resetConn(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
