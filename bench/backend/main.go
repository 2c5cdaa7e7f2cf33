// Command backend is lab.Backend, for what is in front of it to be measured.
//
//	backend ADDRESS...
package main

import (
	"context"
	"net"
	"os"
	"sync"

	"go-proxy/bench/lab"
)

func main() { lab.Main("backend", run) }

func run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, addr := range os.Args[1:] {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { listener.Close() })
		running.Go(func() { new(lab.Backend).Serve(listener) })
	}
	running.Wait()
	return nil
}
