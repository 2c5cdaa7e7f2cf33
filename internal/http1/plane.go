package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go-proxy/internal/config"
	records "go-proxy/internal/exchange"
	"go-proxy/internal/hop"
	"go-proxy/internal/pool"
)

// Dial connects to a backend.
type Dial func(ctx context.Context, b *pool.Backend) (net.Conn, error)

// Plane serves HTTP/1.x. It implements server.Plane.
type Plane struct {
	pool      *pool.ServerPool
	dial      Dial
	settings  atomic.Pointer[settings]
	upstreams atomic.Pointer[map[*pool.Backend]*upstream] // the map never changes
	observe   records.Observer
	log       *slog.Logger
	sweeper   *sweeper
	exchanges sync.Pool
	crew      *crew

	ctx       context.Context // of dialing; over, all is to end
	cancel    context.CancelFunc
	running   sync.WaitGroup // Serve and the connections
	sweeping  sync.WaitGroup
	stopSweep chan struct{}
	draining  atomic.Bool
	closeOnce sync.Once

	mu       sync.Mutex // of listener, and held to put others in place
	listener net.Listener
}

// New makes a Plane that forwards to the backends of the pool and tells observe
// of every exchange. It starts with Serve and ends with Close.
func New(p *pool.ServerPool, c *config.Config, dial Dial, observe records.Observer, log *slog.Logger) *Plane {
	plane := &Plane{pool: p, dial: dial, observe: observe, log: log, sweeper: newSweeper(c.Timeouts), crew: newCrew(), stopSweep: make(chan struct{})}
	plane.ctx, plane.cancel = context.WithCancel(context.Background())
	plane.exchanges.New = func() any { return newExchange(plane) }
	plane.upstreams.Store(&map[*pool.Backend]*upstream{})
	plane.Update(c)
	return plane
}

// Serve implements server.Plane.
func (p *Plane) Serve(l net.Listener) error {
	p.running.Add(1)
	defer p.running.Done()
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	if p.draining.Load() {
		l.Close()
		return nil
	}
	p.sweeping.Go(func() { p.sweeper.run(p.stopSweep, p.sweepIdle) })
	for pause := time.Duration(0); ; {
		inner, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			p.running.Add(1)
			newClient(p, inner).begin()
		case p.draining.Load():
			return nil
		case !isTemporary(err):
			return err
		default: // out of descriptors, most likely
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			pipePool.dropIdle()
			p.log.Error("accept failed", "error", err, "again_in", pause)
			time.Sleep(pause)
		}
	}
}

func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

func (p *Plane) sweepIdle(now uint64) {
	if now%uint64(idleLook/p.sweeper.tick) == 0 {
		for _, u := range *p.upstreams.Load() {
			u.sweep(now)
		}
	}
}

// Drain implements server.Plane.
func (p *Plane) Drain(ctx context.Context) {
	p.stopAccepting()
	p.sweeper.each(func(c *conn) { c.expireRead(forever, hop.Shutdown, theFirstRequest, aRequest, aRequestHead) })
	ended := make(chan struct{})
	go func() {
		p.running.Wait() // Close sees to it, if nothing else does
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (p *Plane) stopAccepting() {
	p.draining.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
	}
}

// Close implements server.Plane.
func (p *Plane) Close() {
	p.closeOnce.Do(func() {
		p.stopAccepting()
		p.cancel()
		p.sweeper.each(func(c *conn) { c.stop(hop.Shutdown) })
		p.running.Wait()
		p.crew.dismiss()
		for _, u := range *p.upstreams.Load() {
			u.dropIdle()
		}
		pipePool.dropIdle()
		close(p.stopSweep)
		p.sweeping.Wait()
	})
}
