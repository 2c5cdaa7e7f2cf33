package app

import "go-proxy/internal/config"

// fixed are the settings that cannot change while the proxy runs, each with
// what keeps it as it was.
var fixed = map[string]func(c, started *config.Config){
	"config":               func(c, started *config.Config) { c.File = started.File },
	"watch":                func(c, started *config.Config) { c.Watch = started.Watch },
	"plane":                func(c, started *config.Config) { c.Plane = started.Plane },
	"timeouts.client_head": func(c, started *config.Config) { c.Timeouts.ClientHead = started.Timeouts.ClientHead },
	"timeouts.client_idle": func(c, started *config.Config) { c.Timeouts.ClientIdle = started.Timeouts.ClientIdle },
	"limits.header_bytes":  func(c, started *config.Config) { c.Limits.HeaderBytes = started.Limits.HeaderBytes },
	"log.format":           func(c, started *config.Config) { c.Log.Format = started.Log.Format },
	"log.access_buffer":    func(c, started *config.Config) { c.Log.AccessBuffer = started.Log.AccessBuffer },
	"log.access_flush":     func(c, started *config.Config) { c.Log.AccessFlush = started.Log.AccessFlush },
}

// split parts the settings that differ from those that the proxy runs with
// into what changes now and what needs a restart; effective is c without the
// latter.
func (p *parts) split(c *config.Config) (effective *config.Config, now, restart []string) {
	kept := *c
	for _, key := range config.Changed(p.config, c) {
		if keep, is := fixed[key]; is {
			keep(&kept, p.started)
			restart = append(restart, key)
		} else {
			now = append(now, key)
		}
	}
	return &kept, now, restart
}
