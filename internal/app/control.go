package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
	"go-proxy/internal/server"
)

// look is how often the configuration file is looked at.
const look = time.Second

// control makes what changes while the proxy runs, one thing after the other,
// until a shutdown begins or it is stopped.
func (p *parts) control(ctx, stopped context.Context) {
	watch := newWatch(p.config, p.log)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopped.Done():
			return
		case <-p.in.Asked:
			p.reload(ctx, slog.LevelInfo)
		case <-tick.C:
			if watch.changed() {
				p.reload(ctx, slog.LevelDebug) // the first look is at what is in force
			}
		case <-p.resolver.Changes():
			p.rename(ctx)
		}
	}
}

// reload reads the configuration anew and puts it in force, all of it or
// nothing. That there is nothing new is logged with the level.
func (p *parts) reload(ctx context.Context, unchanged slog.Level) {
	if p.in.Load == nil {
		return
	}
	c, err := p.in.Load()
	if err != nil {
		p.refuse(err)
		return
	}
	if len(config.Changed(p.loaded, c)) == 0 {
		p.log.Log(ctx, unchanged, "configuration is unchanged")
		return
	}
	effective, now, restart := p.split(c)
	address, err := p.bind(effective)
	if err != nil {
		p.refuse(err)
		return
	}
	p.resolver.Update(ctx, effective)
	if ctx.Err() != nil { // everything is about to end
		if address != nil {
			address.Close()
		}
		return
	}
	p.loaded, p.config = c, effective
	if len(restart) > 0 {
		p.log.Warn("settings need a restart", "settings", restart)
	}
	d := p.apply(ctx, address)
	if len(d.Changed) > 0 {
		p.log.Info("backends have another weight or role", "backends", d.Changed)
	}
	p.log.Info("configuration reloaded", "changed", now, "added", d.Added, "removed", d.Removed, "kept", d.Kept)
}

// refuse logs why what is in force stays.
func (p *parts) refuse(err error) {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		p.log.Error("configuration refused; nothing has changed", "error", err)
		return
	}
	p.log.Error("configuration refused; nothing has changed", "problems", len(problems))
	for _, problem := range problems {
		p.log.Error("problem with the configuration", "problem", problem.Error())
	}
}

// bind binds the address to listen on, if it is another one.
func (p *parts) bind(c *config.Config) (net.Listener, error) {
	if c.Listen == p.config.Listen {
		return nil, nil
	}
	return server.Bind(c.Listen)
}

// apply puts p.config in force. It cannot fail.
func (p *parts) apply(ctx context.Context, address net.Listener) pool.Diff {
	c := p.config
	p.listener.Allow(c.Timeouts.WriteStall, c.Shutdown)
	p.listener.Cap(c.Limits.Conns, c.Limits.ConnsPerClient)
	if address != nil {
		p.listener.Move(address)
		p.log.Info("listening", "address", address.Addr().String())
	}
	_ = p.in.Level.UnmarshalText([]byte(c.Log.Level)) // config lets only good ones pass
	p.accessOn.Store(c.Log.Access)
	p.access.ShowQuery(c.Log.Query)
	return p.follow(ctx)
}
