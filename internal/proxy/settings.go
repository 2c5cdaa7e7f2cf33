package proxy

import (
	"go-proxy/internal/config"
	"go-proxy/internal/exchange"
)

// settings are what an exchange goes by.
type settings struct{ exchange.Settings }

func newSettings(c *config.Config) *settings { return &settings{exchange.NewSettings(c)} }

// ofUpstreams are the settings that an upstream is made with.
func (s *settings) ofUpstreams() [9]int64 {
	t, l := s.Timeouts, s.Limits
	return [9]int64{
		int64(t.Dial), int64(t.TLSHandshake), int64(t.ResponseHead), int64(t.BackendIdle), int64(t.ExpectContinue),
		int64(t.WriteStall), int64(t.Flush), l.ResponseHeaderBytes, int64(l.IdleConns),
	}
}
