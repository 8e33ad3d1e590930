package stats

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Class is what kind of command a request has.
type Class uint8

// The classes. A command that neither only reads nor is known to write, such as a script, is another.
const (
	Other Class = iota
	Read
	Write
	Classes
)

// ClassNames are the classes' names, by Class.
var ClassNames = [Classes]string{"other", "read", "write"}

// Phase is a part of the time between a request and its reply.
type Phase uint8

// The phases.
const (
	// Waiting is from the request's arrival until the kernel has all of it for the server.
	Waiting Phase = iota
	// Serving is from then until the end of the reply.
	Serving
	Phases
)

// A histogram's buckets double: the first is for what takes up to leastBucket, the last but one for up to 16 seconds,
// the last for what takes longer.
const (
	Buckets     = 22
	leastBucket = 16 * time.Microsecond
)

// Bound is the longest time that bucket i is for; the last one has none.
func Bound(i int) time.Duration { return leastBucket << i }

// bucketOf is the bucket for a time. Less than nothing is nothing.
func bucketOf(d time.Duration) int {
	return min(bits.Len64(uint64(max(d, 1)-1)/uint64(leastBucket)), Buckets-1)
}

// Histogram has how many times there were in each bucket, and their sum in nanoseconds.
type Histogram struct {
	Counts [Buckets]uint64
	Sum    uint64
}

// Count is how many times there were.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Latencies are the histograms of one server.
type Latencies [Classes][Phases]Histogram

// Latency is how long one worker's requests to one server take. All but ReadAll belongs to the worker. Nothing
// is published until somebody asks: it would cost each turn more than all its counting.
type Latency struct {
	local  Latencies
	public [Classes][Phases][Buckets + 1]atomic.Uint64
}

// Observe counts n requests of a class that had a reply, with the time of each phase.
func (l *Latency) Observe(c Class, waiting, serving time.Duration, n uint64) {
	of := &l.local[c]
	w, s := &of[Waiting], &of[Serving]
	w.Counts[bucketOf(waiting)] += n
	w.Sum += uint64(max(waiting, 0)) * n
	s.Counts[bucketOf(serving)] += n
	s.Sum += uint64(max(serving, 0)) * n
}

// Copy returns the worker's own view, and leaves it for ReadAll.
func (l *Latency) Copy() *Latencies {
	for c := range l.local {
		for p := range l.local[c] {
			h, public := &l.local[c][p], &l.public[c][p]
			for i, n := range h.Counts {
				if public[i].Load() != n { // as in Publish
					public[i].Store(n)
				}
			}
			public[Buckets].Store(h.Sum)
		}
	}
	copied := l.local
	return &copied
}

// ReadAll returns what Copy returned last, for when the worker does not answer.
func (l *Latency) ReadAll() *Latencies {
	v := new(Latencies)
	for c := range v {
		for p := range v[c] {
			h, public := &v[c][p], &l.public[c][p]
			for i := range h.Counts {
				h.Counts[i] = public[i].Load()
			}
			h.Sum = public[Buckets].Load()
		}
	}
	return v
}
