package stats

import "sync/atomic"

// Ejections are how often and when a server was taken out of its pool's ring. The control plane, which
// alone decides about it, counts here; any goroutine may read.
type Ejections struct {
	count atomic.Uint64
	last  atomic.Int64
}

// Count notes an ejection at a time in microseconds since 1970.
func (e *Ejections) Count(at int64) {
	e.last.Store(at)
	e.count.Add(1)
}

// Number is how many there have been.
func (e *Ejections) Number() uint64 { return e.count.Load() }

// Last is when the last one was, in microseconds since 1970; 0 if there was none.
func (e *Ejections) Last() int64 { return e.last.Load() }
