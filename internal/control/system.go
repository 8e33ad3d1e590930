package control

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/health"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// System is a data plane and the control that steers it: what a process runs. Any goroutine may use it.
type System struct {
	*proxy.Proxy
	control *Control
	end     context.CancelFunc
	ended   chan struct{} // closed when the control has ended
}

// NewSystem returns a system for a configuration and the snapshot that Build has made of it. Nothing is
// opened yet.
func NewSystem(c *config.Config, s *topology.Snapshot, log *slog.Logger) *System {
	p := proxy.New(s, log)
	y := &System{Proxy: p, ended: make(chan struct{})}
	k := health.Checker{}
	y.control = New(NewEjector(s, Policies(c), rand.Uint64()), plane{p}, k.Probe, k.Version)
	p.SetJudge(y.control)
	return y
}

// SetLookup says how addresses of servers' names are found, before Start. Without it, it is the system's way.
func (y *System) SetLookup(f eventloop.LookupFunc) {
	y.Proxy.SetLookup(f)
	k := health.Checker{Lookup: f}
	y.control.probe, y.control.version = k.Probe, k.Version
}

// plane is the data plane as control sees it.
type plane struct{ *proxy.Proxy }

func (p plane) CountEjection(pool, server int, at time.Time) {
	p.Ejections(pool, server).Count(at.UnixMicro())
}

func (p plane) CountSpared(pool, server int) { p.Ejections(pool, server).CountSpared() }

func (p plane) CountProbe(pool, server int, ok bool) { p.Ejections(pool, server).CountProbe(ok) }

// Start opens all listeners and begins to serve. On an error nothing is left open.
func (y *System) Start() error {
	if err := y.Proxy.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	y.end = cancel
	go func() {
		defer close(y.ended)
		y.control.Run(ctx)
	}()
	return nil
}

// Shutdown is the proxy's. Control goes on until that is over: clients are still served, and servers may fail.
func (y *System) Shutdown(ctx context.Context) error {
	err := y.Proxy.Shutdown(ctx)
	if y.end != nil {
		y.end()
		<-y.ended
	}
	return err
}

// errEnded is the answer to orders after the end.
var errEnded = errors.New("the proxy is shutting down")

// Check says whether Reload would find that it cannot have a listener. Nothing is changed.
func (y *System) Check(c *config.Config) error { return y.Proxy.Check(Build(c, 0)) }

// Reload puts another configuration in force, while clients are served. Pools, listeners and servers that are in
// both keep their connections and their state; what is in neither is given the new configuration's shutdown_timeout
// to finish. On an error, such as a port that is taken, nothing has changed.
func (y *System) Reload(c *config.Config) error {
	err := errEnded
	y.control.do(func(ctx context.Context) {
		now := y.control.ejector.Snapshot()
		s := Build(c, now.Epoch+1)
		s.Process = now.Process
		next := y.control.ejector.Reload(clock.System(), s, Policies(c))
		if err = y.Proxy.Reload(next.Snapshot(), c.Process.ShutdownTimeout); err == nil {
			y.control.ejector = next
			y.control.askVersions(ctx)
		}
	})
	return err
}
