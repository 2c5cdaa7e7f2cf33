package server

import (
	"context"
	"fmt"
	"net"

	"go-proxy/internal/socket"
)

// Bind binds a TCP address. Its connections have the kernel look for peers that
// are gone without a word.
func Bind(address string) (net.Listener, error) {
	l, err := listenConfig.Listen(context.Background(), "tcp", address)
	if err == nil {
		l, err = socket.Listen(l.(*net.TCPListener))
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}
