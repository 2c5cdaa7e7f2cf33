package backendserver

import (
	"time"

	"go-proxy/internal/config"
)

// settings is everything the program can be told.
type settings struct {
	listen   string
	faults   bool
	shutdown time.Duration
}

// table is the one place that names the settings. Setting a row's value
// changes s.
func (s *settings) table() []config.Setting {
	return []config.Setting{
		{Key: "listen", Env: "BACKEND_LISTEN_ADDR", Default: ":8080", Type: config.Address(&s.listen),
			Help: "address that clients connect to; with port 0 a free one is taken"},
		{Key: "faults", Env: "BACKEND_FAULTS", Default: "off", Type: config.Switch(&s.faults),
			Help: "the fault lab described below; never on where strangers can connect"},
		{Key: "shutdown_timeout", Env: "SHUTDOWN_TIMEOUT", Default: "30s", Type: config.Duration(&s.shutdown),
			Help: "time for requests in flight to end after SIGTERM or SIGINT"},
	}
}
