package proxy

import (
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
	Buffered int64 // bytes of requests and replies in buffers
	Pooled   int64 // bytes of buffers kept for reuse
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

// reportWithin is how long a worker has to answer. One that is stuck must not hide the counters that
// tell so.
const reportWithin = 500 * time.Millisecond

// inquire asks the worker, between two of its turns. It says no if there is no answer in time.
func inquire[T any](p *Proxy, f func(w *worker, now clock.Instant) T) (answer T, ok bool) {
	w, answers := p.worker, make(chan T, 1)
	if w == nil || !w.loop.Post(func(now clock.Instant) { answers <- f(w, now) }) {
		return answer, false
	}
	timer := time.NewTimer(reportWithin)
	defer timer.Stop()
	select {
	case answer = <-answers:
		return answer, true
	case <-p.ended:
	case <-timer.C:
	}
	return answer, false
}

// Report asks the worker for its counters, so that they are of this moment and of one. If it does not
// answer in time they are those that it published last.
func (p *Proxy) Report() Report {
	r, ok := inquire(p, func(w *worker, now clock.Instant) Report {
		w.Gauge()
		r := p.report((*stats.Block).Copy, (*stats.Latency).Copy)
		w.describe(now, &r)
		return r
	})
	if ok {
		return r
	}
	r = p.report((*stats.Block).ReadAll, (*stats.Latency).ReadAll)
	if w := p.worker; w != nil {
		r.Workers = []WorkerReport{{Loop: w.loop.Stats(), Lived: clock.System().Sub(w.began)}}
	}
	return r
}

// describe adds what only the worker itself knows.
func (w *worker) describe(now clock.Instant, r *Report) {
	r.Workers = []WorkerReport{{
		Loop: w.loop.Stats(), Lived: now.Sub(w.began), Answered: true,
		Buffered: w.Buffers().InUse(), Pooled: w.Buffers().Free(),
	}}
	names := map[string]NameReport{}
	for _, n := range w.loop.Names() {
		of := NameReport{Known: true, Lost: n.Lost, Age: -1}
		if n.Answered != 0 {
			of.Age = now.Sub(n.Answered)
		}
		names[n.Address] = of
	}
	for i := range r.Pools {
		for k := range r.Pools[i].Servers {
			s := &r.Pools[i].Servers[k]
			s.Resolved = names[s.Address]
		}
	}
}

func (p *Proxy) report(read func(*stats.Block) stats.Values, times func(*stats.Latency) *stats.Latencies) (r Report) {
	now := p.inForce.Load()
	r.Epoch = now.snapshot.Epoch
	if p.journal != nil {
		r.DroppedLines = p.journal.lost.Load()
	}
	for i, pool := range now.snapshot.Pools {
		of := PoolReport{Name: pool.Name, Counts: read(now.counters.Pools[i])}
		for k, server := range pool.Servers {
			ejections := now.counters.Ejections[i][k]
			of.Servers = append(of.Servers, ServerReport{
				Name: server.Name, Address: server.Address, Ejected: server.Ejected,
				Counts: read(now.counters.Servers[i][k]), Latency: times(now.counters.Servers[i][k].Latency),
				Ejections: ejections.Number(), EjectedAt: ejections.Last(), Spared: ejections.Spared(),
				Probes: ejections.Probes(true), FailedProbes: ejections.Probes(false),
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
