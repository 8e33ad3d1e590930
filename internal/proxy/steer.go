package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// NotFoundError says that there is no such pool or server.
type NotFoundError string

func (e NotFoundError) Error() string { return string(e) }

// NoPool is the error for a pool that is not there.
func NoPool(name string) error { return NotFoundError(fmt.Sprintf("no pool %q", name)) }

// ErrNoAnswer says that a worker is stuck, or has ended. What was asked of it may be done still.
var ErrNoAnswer = errors.New("the worker does not answer")

// Status is what an operator may want to know beside the Report.
type Status struct {
	Snapshot *topology.Snapshot // in force
	Pools    []PoolStatus       // in the snapshot's order
	Workers  []WorkerReport
	Active   int // of the workers get clients
}

// PoolStatus is one pool's part of a Status.
type PoolStatus struct {
	Address string // where it listens, with the port that the system chose
	Paused  downstream.Pause
	Left    time.Duration // of the pause
}

// Status asks the workers how things are. If one does not answer, what only it knows is missing.
func (p *Proxy) Status() Status {
	now := p.inForce.Load()
	s := Status{Snapshot: now.snapshot, Active: int(p.active.Load())}
	for _, d := range now.doors {
		s.Pools = append(s.Pools, PoolStatus{Address: d.address})
	}
	workers := p.all()
	for i, a := range inquire(p, func(w *worker, at clock.Instant) Status { return w.status(at, now.snapshot) }) {
		if !a.ok {
			w := workers[i]
			s.Workers = append(s.Workers, WorkerReport{Loop: w.loop.Stats(), Lived: clock.System().Sub(w.began)})
			continue
		}
		s.Workers = append(s.Workers, a.of.Workers...)
		for k, of := range a.of.Pools {
			if of.Paused > s.Pools[k].Paused {
				s.Pools[k].Paused, s.Pools[k].Left = of.Paused, of.Left
			}
		}
	}
	return s
}

// status is the worker's part, for the pools of a snapshot.
func (w *worker) status(now clock.Instant, of *topology.Snapshot) Status {
	s := Status{Workers: []WorkerReport{w.describe(now)}, Pools: make([]PoolStatus, len(of.Pools))}
	for i, p := range of.Pools {
		mine := w.snapshot.Pool(p.Name)
		if mine == nil {
			continue
		}
		mode, until := w.Paused(mine.Index)
		if s.Pools[i].Paused = mode; mode != downstream.PauseNone {
			s.Pools[i].Left = max(until.Sub(now), 0)
		}
	}
	return s
}

// Clients are clients of a pool, the oldest first; at most limit, and if there are more it is not said which.
func (p *Proxy) Clients(pool string, limit int) ([]downstream.Portrait, error) {
	parts, err := consult(p, pool, func(w *worker, now clock.Instant, of *topology.Pool) []downstream.Portrait {
		return w.Portraits(now, of.Index, limit)
	})
	all := slices.Concat(parts...)
	all = all[:min(len(all), limit)]
	slices.SortFunc(all, func(a, b downstream.Portrait) int { return cmp.Compare(a.Number, b.Number) })
	return all, err
}

// Pause has the requests of a pool's clients wait for a time, or only those that may write, in place of what an
// earlier call has said. PauseNone ends that, and what clients have put in force by CLIENT PAUSE.
func (p *Proxy) Pause(pool string, mode downstream.Pause, length time.Duration) error {
	_, err := consult(p, pool, func(w *worker, now clock.Instant, of *topology.Pool) struct{} {
		w.Pause(now, of.Index, mode, now.Add(length))
		return struct{}{}
	})
	switch {
	case err != nil:
	case mode == downstream.PauseNone:
		p.log.Info("pool resumed by an operator", "pool", pool)
	default:
		p.log.Warn("pool paused by an operator", "pool", pool, "writes_only", mode == downstream.PauseWrites, "for", length)
	}
	return err
}

// consult is inquire about a pool that there may not be. Every worker has to answer.
func consult[T any](p *Proxy, pool string, f func(w *worker, now clock.Instant, of *topology.Pool) T) (all []T, err error) {
	type part struct {
		of    T
		found bool
	}
	answers := inquire(p, func(w *worker, now clock.Instant) (v part) {
		if of := w.snapshot.Pool(pool); of != nil {
			v = part{f(w, now, of), true}
		}
		return v
	})
	if len(answers) == 0 {
		return nil, ErrNoAnswer
	}
	for _, a := range answers {
		switch {
		case !a.ok:
			return nil, ErrNoAnswer
		case !a.of.found:
			return nil, NoPool(pool)
		}
		all = append(all, a.of.of)
	}
	return all, nil
}
