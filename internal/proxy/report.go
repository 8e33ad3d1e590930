package proxy

import (
	"sync/atomic"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// Report is a picture of everything that is counted, at one moment.
type Report struct {
	Epoch        uint64       // of the snapshot
	Pools        []PoolReport // in the snapshot's order
	Workers      []WorkerReport
	DroppedLines uint64 // of the log, because there were too many at once
}

// WorkerReport is what one worker did, whatever for.
type WorkerReport struct {
	Loop  eventloop.Stats
	Lived time.Duration
	// Answered says that the worker has answered itself. What follows is not known otherwise.
	Answered bool
	Clients  int
	Buffered int64 // bytes of requests and replies in buffers
	Pooled   int64 // bytes of buffers kept for reuse

	names map[string]NameReport // by address
}

// Busy is the time in which the worker did not sleep.
func (w *WorkerReport) Busy() time.Duration { return max(w.Lived-time.Duration(w.Loop.Slept), 0) }

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

	Address      string
	Ejected      bool
	Probes       uint64 // with a good outcome
	FailedProbes uint64
	Latency      *stats.Latencies
	Resolved     NameReport // its name
}

// NameReport is what is known of a server's name.
type NameReport struct {
	Known bool          // it has a name that was looked up
	Lost  bool          // it resolves no more, or never did
	Age   time.Duration // of the last good answer; negative if there was none
}

// Report asks the workers for their counters, so that they are of this moment. Those of a worker that does not answer in
// time are as it published them last.
func (p *Proxy) Report() Report {
	now, workers := p.inForce.Load(), p.all()
	r := p.blank(now)
	names := map[string]NameReport{}
	answers := inquire(p, func(w *worker, at clock.Instant) *Report {
		w.Gauge()
		mine := p.blank(now)
		mine.read(now, w.number, (*stats.Block).Copy, (*stats.Latency).Copy)
		mine.Workers = []WorkerReport{w.describe(at)}
		return &mine
	})
	for i, a := range answers {
		w := workers[i]
		if !a.ok {
			r.read(now, i, (*stats.Block).ReadAll, (*stats.Latency).ReadAll)
			r.Workers = append(r.Workers, WorkerReport{Loop: w.loop.Stats(), Lived: clock.System().Sub(w.began)})
			continue
		}
		r.plus(a.of)
		for address, n := range a.of.Workers[0].names {
			names[address] = names[address].worst(n)
		}
	}
	for i := range r.Pools {
		for k := range r.Pools[i].Servers {
			s := &r.Pools[i].Servers[k]
			s.Resolved = names[s.Address]
		}
	}
	return r
}

// describe is what only the worker itself knows.
func (w *worker) describe(now clock.Instant) WorkerReport {
	r := WorkerReport{
		Loop: w.loop.Stats(), Lived: now.Sub(w.began), Clients: w.Clients(), Answered: true,
		Buffered: w.Buffers().InUse(), Pooled: w.Buffers().Free(), names: map[string]NameReport{},
	}
	for _, n := range w.loop.Names() {
		of := NameReport{Known: true, Lost: n.Lost, Age: -1}
		if n.Answered != 0 {
			of.Age = now.Sub(n.Answered)
		}
		r.names[n.Address] = of
	}
	return r
}

// worst is what two workers know of a name that both look up.
func (n NameReport) worst(m NameReport) NameReport {
	switch {
	case !n.Known:
		return m
	case m.Lost && !n.Lost, m.Lost == n.Lost && (m.Age < 0 || n.Age >= 0 && m.Age > n.Age):
		return m
	}
	return n
}

// blank is a report in which nothing is counted yet.
func (p *Proxy) blank(now *inForce) (r Report) {
	r.Epoch = now.snapshot.Epoch
	if p.journal != nil {
		r.DroppedLines = p.journal.lost.Load()
	}
	for i, pool := range now.snapshot.Pools {
		of := PoolReport{Name: pool.Name}
		for k, server := range pool.Servers {
			ejections := now.ledger.Ejections[i][k]
			of.Servers = append(of.Servers, ServerReport{
				Name: server.Name, Address: server.Address, Ejected: server.Ejected, Latency: new(stats.Latencies),
				Ejections: ejections.Number(), EjectedAt: ejections.Last(), Spared: ejections.Spared(),
				Probes: ejections.Probes(true), FailedProbes: ejections.Probes(false),
			})
		}
		r.Pools = append(r.Pools, of)
	}
	return r
}

// read adds a worker's counters.
func (r *Report) read(now *inForce, worker int, counts func(*stats.Block) stats.Values, times func(*stats.Latency) *stats.Latencies) {
	c := now.ledger.Workers[worker]
	for i := range r.Pools {
		of := &r.Pools[i]
		of.Counts.Plus(counts(c.Pools[i]))
		for k := range of.Servers {
			of.Servers[k].Counts.Plus(counts(c.Servers[i][k]))
			of.Servers[k].Latency.Plus(times(c.Servers[i][k].Latency))
		}
	}
}

// plus adds what a worker has reported under the same snapshot.
func (r *Report) plus(w *Report) {
	r.Workers = append(r.Workers, w.Workers...)
	for i := range r.Pools {
		of, mine := &r.Pools[i], &w.Pools[i]
		of.Counts.Plus(mine.Counts)
		for k := range of.Servers {
			of.Servers[k].Counts.Plus(mine.Servers[k].Counts)
			of.Servers[k].Latency.Plus(mine.Servers[k].Latency)
		}
	}
}

// Ejections is where the control plane counts how often it took a server out of its ring.
func (p *Proxy) Ejections(pool, server int) *stats.Ejections {
	return p.inForce.Load().ledger.Ejections[pool][server]
}

// Alive is closed when the workers have come to look at their mail: they turn.
func (p *Proxy) Alive() <-chan struct{} {
	turned := make(chan struct{})
	var left atomic.Int64
	workers := p.all()
	left.Store(int64(len(workers)))
	for _, w := range workers {
		w.loop.Post(func(clock.Instant) {
			if left.Add(-1) == 0 {
				close(turned)
			}
		})
	}
	return turned
}
