package app

import (
	"log/slog"
	"net"
	"os"

	"go-proxy/internal/config"
	"go-proxy/internal/resolve"
)

// Inputs are where a running proxy's changes come from. With the zero value
// nothing changes but the addresses of names.
type Inputs struct {
	Load  func() (*config.Config, error) // reads the configuration anew
	Asked <-chan os.Signal               // to read it
	Level *slog.LevelVar                 // of the log

	Lookup  resolve.Lookup  // nil: as the system does it
	Connect resolve.Connect // nil: over the network
}

// complete puts in what the zero value leaves out.
func (i Inputs) complete() Inputs {
	if i.Level == nil {
		i.Level = new(slog.LevelVar)
	}
	if i.Lookup == nil {
		i.Lookup = net.DefaultResolver.LookupNetIP
	}
	if i.Connect == nil {
		i.Connect = new(net.Dialer).DialContext
	}
	return i
}
