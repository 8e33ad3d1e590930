package stats

import "sync/atomic"

// Ejections are how often and when a server was taken out of its pool's ring, and how often it was only spared. The control plane, which
// alone decides about it, counts here; any goroutine may read.
type Ejections struct {
	count  atomic.Uint64
	last   atomic.Int64
	spared atomic.Uint64
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
