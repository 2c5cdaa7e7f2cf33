package http1

import (
	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
)

// settings are what an exchange goes by, with what is only this plane's.
type settings struct {
	records.Settings
	halfClose bool
	head      bounds // of a request's, and of its trailers
	response  bounds // of a response's
}

// mostLines bounds the field lines of a backend's head and trailers, whose
// bytes are bounded by a setting.
const mostLines = 1000

func newSettings(c *config.Config) *settings {
	return &settings{
		Settings:  records.NewSettings(c),
		halfClose: c.HalfClose,
		head:      bounds{c.Limits.HeaderLines, int(c.Limits.HeaderBytes)},
		response:  bounds{mostLines, int(c.Limits.ResponseHeaderBytes)},
	}
}
