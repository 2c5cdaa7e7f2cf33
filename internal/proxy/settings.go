package proxy

import (
	"strconv"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

// settings are what an exchange goes by from its start to its end. They never
// change: an Update puts others in their place.
type settings struct {
	timeouts   config.Timeouts
	limits     config.Limits
	trusted    hop.Trusted
	hashKey    config.HashKey
	retryAfter string // seconds
}

func newSettings(c *config.Config) *settings {
	return &settings{
		timeouts: c.Timeouts,
		limits:   c.Limits,
		trusted:  c.TrustedProxies,
		hashKey:  c.Balancing.HashKey,
		// The next probe is the next chance that a backend is back.
		retryAfter: strconv.Itoa(int((c.Health.Interval + time.Second - 1) / time.Second)),
	}
}

// ofUpstreams are the settings that an upstream is made with.
func (s *settings) ofUpstreams() [9]int64 {
	t, l := s.timeouts, s.limits
	return [9]int64{
		int64(t.Dial), int64(t.TLSHandshake), int64(t.ResponseHead), int64(t.BackendIdle), int64(t.ExpectContinue),
		int64(t.WriteStall), int64(t.Flush), l.ResponseHeaderBytes, int64(l.IdleConns),
	}
}
