package exchange

import (
	"slices"
	"strconv"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
)

// Settings are what an exchange goes by from its start to its end, in every
// plane. They never change: an update puts others in their place.
type Settings struct {
	Timeouts config.Timeouts
	Limits   config.Limits
	Trusted  hop.Trusted
	HashKey  config.HashKey
	Retries  config.Retries
	Counted  *hop.Counted

	retryAfter string // seconds
}

// NewSettings takes what exchanges need of the configuration.
func NewSettings(c *config.Config) Settings {
	return Settings{
		Timeouts: c.Timeouts,
		Limits:   c.Limits,
		Trusted:  c.TrustedProxies,
		HashKey:  c.Balancing.HashKey,
		Retries:  c.Retries,
		Counted:  hop.NewCounted(c.PassiveOn),
		// The next probe is the next chance that a backend is back.
		retryAfter: strconv.Itoa(int((c.Health.Interval + time.Second - 1) / time.Second)),
	}
}

// RetryAfter is when, in seconds, a client that was turned away for the cause
// may try again. Places among those in flight come free all the time.
func (s *Settings) RetryAfter(cause hop.Cause) string {
	if cause == hop.Overloaded {
		return "1"
	}
	return s.retryAfter
}

// RetriesOn reports whether a response of this status is not to be passed on if
// another backend may have a better one.
func (s *Settings) RetriesOn(status int) bool {
	return status >= 500 && len(s.Retries.On) > 0 && slices.Contains(s.Retries.On, strconv.Itoa(status))
}

// Bounded reports whether connecting has other limits than the time to dial.
func (s *Settings) Bounded() bool { return s.Timeouts.Attempt > 0 || s.Timeouts.Total > 0 }
