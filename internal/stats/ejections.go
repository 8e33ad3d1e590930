package stats

import "sync/atomic"

// Ejections are how often and when a server was taken out of its pool's ring, how often it was only spared, and how often
// it was probed. The control plane, which alone decides about it, counts here; any goroutine may read.
type Ejections struct {
	count  atomic.Uint64
	last   atomic.Int64
	spared atomic.Uint64
	probes [2]atomic.Uint64 // by outcome
}

// Count notes an ejection at a time in microseconds since 1970.
func (e *Ejections) Count(at int64) {
	e.last.Store(at)
	e.count.Add(1)
}

// CountSpared notes that the server would have been ejected, if not too many of its pool were out already.
func (e *Ejections) CountSpared() { e.spared.Add(1) }

// Spared is how often that was.
func (e *Ejections) Spared() uint64 { return e.spared.Load() }

// Number is how many there have been.
func (e *Ejections) Number() uint64 { return e.count.Load() }

// Last is when the last one was, in microseconds since 1970; 0 if there was none.
func (e *Ejections) Last() int64 { return e.last.Load() }

// CountProbe notes a probe of the server.
func (e *Ejections) CountProbe(ok bool) { e.outcome(ok).Add(1) }

// Probes is how many probes had an outcome.
func (e *Ejections) Probes(ok bool) uint64 { return e.outcome(ok).Load() }

func (e *Ejections) outcome(ok bool) *atomic.Uint64 {
	if ok {
		return &e.probes[1]
	}
	return &e.probes[0]
}
