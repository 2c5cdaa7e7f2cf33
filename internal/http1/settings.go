package http1

import (
	"strconv"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

// settings are what an exchange goes by from its start to its end. They never
// change: Update puts others in their place.
type settings struct {
	timeouts   config.Timeouts
	limits     config.Limits
	trusted    hop.Trusted
	hashKey    config.HashKey
	halfClose  bool
	retryAfter string // seconds
	head       bounds // of a request's, and of its trailers
	response   bounds // of a response's
}

// mostLines bounds the field lines of a backend's head and trailers, whose
// bytes are bounded by a setting.
const mostLines = 1000

func newSettings(c *config.Config) *settings {
	return &settings{
		timeouts:  c.Timeouts,
		limits:    c.Limits,
		trusted:   c.TrustedProxies,
		hashKey:   c.Balancing.HashKey,
		halfClose: c.HalfClose,
		// The next probe is the next chance that a backend is back.
		retryAfter: strconv.Itoa(int((c.Health.Interval + time.Second - 1) / time.Second)),
		head:       bounds{c.Limits.HeaderLines, int(c.Limits.HeaderBytes)},
		response:   bounds{mostLines, int(c.Limits.ResponseHeaderBytes)},
	}
}
