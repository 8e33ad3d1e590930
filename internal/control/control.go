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
	Verdict(pool, server int)
	// CountEjection notes that a server was ejected, CountSpared that eject_limit has kept one from it.
	CountEjection(pool, server int, at time.Time)
	CountSpared(pool, server int)
	// Log writes a line about a server; one that repeats is summed up.
	Log(level slog.Level, text string, pool *topology.Pool, server *topology.Server, reason string)
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
}

// report is what a worker has seen of a server.
type report struct {
	pool, server int
	failure      upstream.Failure // without an error: it has recovered
}

type outcome struct {
	probe Probe
	err   error
}

// New returns a control of the plane, which asks servers by probe and version. The ejector is its own from now on.
func New(e *Ejector, plane Plane, probe ProbeFunc, version VersionFunc) *Control {
	return &Control{
		ejector: e, plane: plane, probe: probe, version: version,
		wake: make(chan struct{}, 1), outcomes: make(chan outcome), answers: make(chan answer),
	}
}

// Failed reports a failure. Verdict will be called for the server.
func (c *Control) Failed(pool *topology.Pool, server *topology.Server, f upstream.Failure) {
	c.report(report{pool.Index, server.Index, f})
}

// Recovered reports that a server has answered after a failure.
func (c *Control) Recovered(pool *topology.Pool, server *topology.Server) {
	c.report(report{pool: pool.Index, server: server.Index})
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
			if c.ejector.SetVersion(a.pool, a.server, a.version) {
				c.plane.Publish(c.ejector.Snapshot())
			}
		case <-timer.C:
			for _, p := range c.ejector.Due(clock.System()) {
				c.start(ctx, p)
			}
		}
	}
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
		if r.failure.Err == nil {
			c.ejector.Recovered(r.pool, r.server)
			continue
		}
		spared := c.ejector.Spared(r.pool, r.server)
		switch {
		case c.ejector.Failed(r.failure.At, r.pool, r.server, r.failure.Dialed):
			c.plane.CountEjection(r.pool, r.server, time.Now())
			c.plane.Publish(c.ejector.Snapshot())
			c.log(slog.LevelWarn, "server ejected", r.pool, r.server, r.failure.Err)
		case !spared && c.ejector.Spared(r.pool, r.server):
			c.plane.CountSpared(r.pool, r.server)
			c.log(slog.LevelWarn, "server fails and keeps its keys: eject_limit is reached", r.pool, r.server, r.failure.Err)
		}
		c.plane.Verdict(r.pool, r.server)
	}
}

// start asks a server in a goroutine of its own.
func (c *Control) start(ctx context.Context, p Probe) {
	s := c.ejector.Snapshot()
	pool := s.Pools[p.Pool]
	c.probes.Go(func() {
		err := c.probe(ctx, pool.Servers[p.Server], &pool.Settings)
		select {
		case c.outcomes <- outcome{p, err}:
		case <-ctx.Done():
		}
	})
}

// probed takes the outcome of a probe.
func (c *Control) probed(ctx context.Context, o outcome) {
	if c.ejector.Probed(clock.System(), o.probe, o.err == nil) {
		c.plane.Publish(c.ejector.Snapshot())
		c.log(slog.LevelInfo, "server readmitted", o.probe.Pool, o.probe.Server, nil)
		// It may be another one under the same address.
		if pool := c.ejector.Snapshot().Pools[o.probe.Pool]; pool.Protocol == topology.Redis {
			c.probes.Go(func() { c.askVersion(ctx, pool, pool.Servers[o.probe.Server]) })
		}
		return
	}
	if o.err != nil {
		c.log(slog.LevelInfo, "probe of an ejected server failed", o.probe.Pool, o.probe.Server, o.err)
	}
}

func (c *Control) log(level slog.Level, text string, pool, server int, err error) {
	p, reason := c.ejector.Snapshot().Pools[pool], ""
	if err != nil {
		reason = err.Error()
	}
	c.plane.Log(level, text, p, p.Servers[server], reason)
}
