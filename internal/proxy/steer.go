package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/eventloop"
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
	Buffered int64              // bytes in buffers of the data plane
	Loop     eventloop.Stats
}

// PoolStatus is one pool's part of a Status.
type PoolStatus struct {
	Address string // where it listens, with the port that the system chose
	Paused  downstream.Pause
	Left    time.Duration // of the pause
}

// Status asks the worker how things are. If it does not answer, what only the worker knows is missing.
func (p *Proxy) Status() Status {
	s, err := consult(p, func(w *worker, now clock.Instant) (Status, error) {
		s := p.status()
		s.Buffered = w.Buffers().InUse()
		for i := range s.Pools {
			mode, until := w.Paused(i)
			if s.Pools[i].Paused = mode; mode != downstream.PauseNone {
				s.Pools[i].Left = max(until.Sub(now), 0)
			}
		}
		return s, nil
	})
	if err != nil {
		return p.status()
	}
	return s
}

func (p *Proxy) status() Status {
	now := p.inForce.Load()
	s := Status{Snapshot: now.snapshot, Loop: p.LoopStats()}
	for _, d := range now.doors {
		s.Pools = append(s.Pools, PoolStatus{Address: d.address})
	}
	return s
}

// Clients are clients of a pool, the oldest first; at most limit, and if there are more it is not said which.
func (p *Proxy) Clients(pool string, limit int) ([]downstream.Portrait, error) {
	all, err := consult(p, func(w *worker, now clock.Instant) ([]downstream.Portrait, error) {
		of := w.snapshot.Pool(pool)
		if of == nil {
			return nil, NoPool(pool)
		}
		return w.Portraits(now, of.Index, limit), nil
	})
	slices.SortFunc(all, func(a, b downstream.Portrait) int { return cmp.Compare(a.Number, b.Number) })
	return all, err
}

// Pause has the requests of a pool's clients wait for a time, or only those that may write, in place of what an
// earlier call has said. PauseNone ends that, and what clients have put in force by CLIENT PAUSE.
func (p *Proxy) Pause(pool string, mode downstream.Pause, length time.Duration) error {
	_, err := consult(p, func(w *worker, now clock.Instant) (struct{}, error) {
		of := w.snapshot.Pool(pool)
		if of == nil {
			return struct{}{}, NoPool(pool)
		}
		w.Pause(now, of.Index, mode, now.Add(length))
		return struct{}{}, nil
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

// consult is inquire for what may be refused.
func consult[T any](p *Proxy, f func(w *worker, now clock.Instant) (T, error)) (v T, err error) {
	type outcome struct {
		v   T
		err error
	}
	o, ok := inquire(p, func(w *worker, now clock.Instant) outcome {
		v, err := f(w, now)
		return outcome{v, err}
	})
	if !ok {
		return v, ErrNoAnswer
	}
	return o.v, o.err
}
