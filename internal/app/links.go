package app

import (
	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// links are a plane's connections to the backends.
type links interface {
	// Update puts the settings in force, and reaches for the backends that are
	// new in the pool, before they can be picked.
	Update(c *config.Config)
	// Renew is for a backend whose name has another address.
	Renew(b *pool.Backend)
	// DropIdle closes those that are unused.
	DropIdle(b *pool.Backend)
	// Cut ends all exchanges with a backend that was removed, soon.
	Cut(b *pool.Backend)
	// Forget is told when such a backend has nothing in flight any more.
	Forget(b *pool.Backend)
	// Close is the end of all.
	Close()
}
