package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Plane is what control steers: the data plane. Its calls do not block.
type Plane interface {
	// Publish puts a snapshot in force.
	Publish(s *topology.Snapshot)
	// Verdict tells the workers that it is decided, by the snapshot in force, what becomes of a server that
	// has failed.
	Verdict(server topology.ServerID)
	// CountEjection notes that a server was ejected, CountSpared that eject_limit has kept one from it.
	CountEjection(pool, server int, at time.Time)
	CountSpared(pool, server int)
	// CountProbe notes the outcome of a probe.
	CountProbe(pool, server int, ok bool)
	// Log writes a line about a server; one that repeats is summed up, unless each is to be written.
	Log(level slog.Level, text string, pool *topology.Pool, server *topology.Server, err error, each bool)
}

// ProbeFunc asks a server whether it can serve; nil means that it can.
type ProbeFunc func(ctx context.Context, s *topology.Server, set *topology.Settings) error

// Control takes the workers' reports of failures, ejects servers, probes them and lets them return. Reports
// may come from any goroutine; everything else happens in the one of Run.
type Control struct {
	ejector *Ejector
	plane   Plane
	probe   ProbeFunc
	version VersionFunc

	mu      sync.Mutex
	reports []report
	wake    chan struct{} // has room for one: there are reports

	outcomes chan outcome
	answers  chan answer
	probes   sync.WaitGroup

	orders    chan func(context.Context)
	over      chan struct{}                       // closed when Run has ended
	hush      context.CancelFunc                  // ends the questions about versions
	connected map[topology.ServerID]chan struct{} // there is a new connection; each has room for one
}

// report is what a worker has seen of a server.
type report struct {
	server  *topology.Server
	failure upstream.Failure // without an error: it has recovered
}

type outcome struct {
	server *topology.Server
	err    error
}

// New returns a control of the plane, which asks servers by probe and version. The ejector is its own from now on.
func New(e *Ejector, plane Plane, probe ProbeFunc, version VersionFunc) *Control {
	return &Control{
		ejector: e, plane: plane, probe: probe, version: version,
		wake: make(chan struct{}, 1), outcomes: make(chan outcome), answers: make(chan answer),
		orders: make(chan func(context.Context)), over: make(chan struct{}),
	}
}

// Failed reports a failure. Verdict will be called for the server.
func (c *Control) Failed(_ *topology.Pool, server *topology.Server, f upstream.Failure) {
	c.report(report{server, f})
}

// Recovered reports that a server has answered after a failure.
func (c *Control) Recovered(_ *topology.Pool, server *topology.Server) {
	c.report(report{server: server})
}

func (c *Control) report(r report) {
	c.mu.Lock()
	c.reports = append(c.reports, r)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run decides until ctx ends, and returns when the last probe has ended too.
func (c *Control) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer c.probes.Wait()
	defer close(c.over)
	c.askVersions(ctx)
	for {
		timer.Reset(until(c.ejector.Next()))
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			c.judge()
		case o := <-c.outcomes:
			c.probed(ctx, o)
		case a := <-c.answers:
			if at, ok := c.place(a.server); ok && c.ejector.SetVersion(at.Pool, at.Server, a.version) {
				c.plane.Publish(c.ejector.Snapshot())
			}
		case order := <-c.orders:
			order(ctx)
		case <-timer.C:
			for _, p := range c.ejector.Due(clock.System()) {
				c.start(ctx, p)
			}
		}
	}
}

// do has f run between two decisions. It reports whether it has: not after the end of Run.
func (c *Control) do(f func(context.Context)) bool {
	done := make(chan struct{})
	select {
	case c.orders <- func(ctx context.Context) { defer close(done); f(ctx) }:
		<-done
		return true
	case <-c.over:
		return false
	}
}

// find is where a server is in the topology in force, if it is there.
func (c *Control) find(id topology.ServerID) (at Probe, ok bool) {
	if p := c.ejector.Snapshot().Pool(id.Pool); p != nil {
		if s := p.Server(id.Name); s != nil {
			return Probe{p.Index, s.Index}, true
		}
	}
	return Probe{}, false
}

// place is find for a server that was asked something, or has failed: under another address it is another server.
func (c *Control) place(asked *topology.Server) (at Probe, ok bool) {
	if at, ok = c.find(asked.ID()); ok {
		s := c.ejector.Snapshot().Pools[at.Pool].Servers[at.Server]
		ok = s.Network == asked.Network && s.Address == asked.Address
	}
	return at, ok
}

// until is how long it is to an instant.
func until(at clock.Instant) time.Duration {
	if at == clock.Never {
		return time.Hour
	}
	return max(at.Sub(clock.System()), 0)
}

// judge takes the reports.
func (c *Control) judge() {
	c.mu.Lock()
	reports := c.reports
	c.reports = nil
	c.mu.Unlock()
	for _, r := range reports {
		at, ok := c.place(r.server)
		if !ok {
			continue // it was removed meanwhile, or has another address, and nobody waits for it
		}
		if r.failure.Err == nil {
			c.ejector.Recovered(at.Pool, at.Server)
			continue
		}
		spared := c.ejector.Spared(at.Pool, at.Server)
		switch {
		case c.ejector.Failed(r.failure.At, at.Pool, at.Server, r.failure.Dialed):
			c.plane.CountEjection(at.Pool, at.Server, time.Now())
			c.plane.Publish(c.ejector.Snapshot())
			c.change("server ejected", at, r.failure.Err)
		case !spared && c.ejector.Spared(at.Pool, at.Server):
			c.plane.CountSpared(at.Pool, at.Server)
			c.log(slog.LevelWarn, "server fails and keeps its keys: eject_limit is reached", at, r.failure.Err)
		}
		c.plane.Verdict(r.server.ID())
	}
}

// start asks a server in a goroutine of its own.
func (c *Control) start(ctx context.Context, p Probe) {
	pool := c.ejector.Snapshot().Pools[p.Pool]
	server := pool.Servers[p.Server]
	c.probes.Go(func() {
		err := c.probe(ctx, server, &pool.Settings)
		select {
		case c.outcomes <- outcome{server, err}:
		case <-ctx.Done():
		}
	})
}

// probed takes the outcome of a probe.
func (c *Control) probed(ctx context.Context, o outcome) {
	at, ok := c.place(o.server)
	if !ok {
		return
	}
	c.plane.CountProbe(at.Pool, at.Server, o.err == nil)
	if c.ejector.Probed(clock.System(), at, o.err == nil) {
		c.plane.Publish(c.ejector.Snapshot())
		c.change("server readmitted", at, nil)
		// It may be another one under the same address.
		if pool := c.ejector.Snapshot().Pools[at.Pool]; pool.Protocol == topology.Redis {
			c.probes.Go(func() { _, _ = c.askVersion(ctx, pool, pool.Servers[at.Server]) })
		}
		return
	}
	if o.err != nil {
		c.log(slog.LevelInfo, "probe of an ejected server failed", at, o.err)
	}
}

// change tells of a server's state. At every level that shows that one has gone, its return is shown as well.
func (c *Control) change(text string, at Probe, err error) {
	p := c.ejector.Snapshot().Pools[at.Pool]
	c.plane.Log(slog.LevelWarn, text, p, p.Servers[at.Server], err, true)
}

func (c *Control) log(level slog.Level, text string, at Probe, err error) {
	p := c.ejector.Snapshot().Pools[at.Pool]
	c.plane.Log(level, text, p, p.Servers[at.Server], err, false)
}
