package proxy

import (
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// Report is a picture of everything that is counted, at one moment.
type Report struct {
	Pools []PoolReport // in the snapshot's order
}

// PoolReport is one pool's part of a Report.
type PoolReport struct {
	Name    string
	Counts  stats.Values
	Servers []ServerReport
}

// ServerReport is one server's part of a Report.
type ServerReport struct {
	Name      string
	Counts    stats.Values
	Ejections uint64
	EjectedAt int64  // microseconds since 1970; 0 is never
	Spared    uint64 // how often eject_limit has kept it from being ejected
}

// reportWithin is how long a worker has to answer. One that is stuck must not hide the counters that
// tell so.
const reportWithin = 500 * time.Millisecond

// Report asks the worker for its counters, so that they are of this moment and of one. If it does not
// answer in time they are those that it published last.
func (p *Proxy) Report() Report {
	answer := make(chan Report, 1)
	w := p.worker
	if w != nil && w.loop.Post(func(clock.Instant) {
		w.Gauge()
		answer <- p.report((*stats.Block).Copy)
	}) {
		timer := time.NewTimer(reportWithin)
		defer timer.Stop()
		select {
		case r := <-answer:
			return r
		case <-p.ended:
		case <-timer.C:
		}
	}
	return p.report((*stats.Block).ReadAll)
}

func (p *Proxy) report(read func(*stats.Block) stats.Values) (r Report) {
	now := p.inForce.Load()
	for i, pool := range now.snapshot.Pools {
		of := PoolReport{Name: pool.Name, Counts: read(now.counters.Pools[i])}
		for k, server := range pool.Servers {
			ejections := now.counters.Ejections[i][k]
			of.Servers = append(of.Servers, ServerReport{
				Name: server.Name, Counts: read(now.counters.Servers[i][k]),
				Ejections: ejections.Number(), EjectedAt: ejections.Last(), Spared: ejections.Spared(),
			})
		}
		r.Pools = append(r.Pools, of)
	}
	return r
}

// Ejections is where the control plane counts how often it took a server out of its ring.
func (p *Proxy) Ejections(pool, server int) *stats.Ejections {
	return p.inForce.Load().counters.Ejections[pool][server]
}

// Alive is closed when the worker has come to look at its mail: it turns.
func (p *Proxy) Alive() <-chan struct{} {
	turned := make(chan struct{})
	p.worker.loop.Post(func(clock.Instant) { close(turned) })
	return turned
}
