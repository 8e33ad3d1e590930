package upstream

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// entry is one request that awaits its reply, queued or in flight.
type entry struct {
	ticket  message.Ticket // whose request it is; or of several, see joined
	arrived arrival
	end     uint64 // the connection's output count behind the request: in flight once that much is sent
}

// arrival is when a request came, and in the last two bits the class of its command: entries are many, and are
// not to grow by what only measuring needs.
type arrival clock.Instant

func newArrival(now clock.Instant, c stats.Class) arrival { return arrival(now)&^3 | arrival(c) }

func (a arrival) at() clock.Instant  { return clock.Instant(a &^ 3) }
func (a arrival) class() stats.Class { return stats.Class(a & 3) }

// The classes fit.
var _ = [4 - stats.Classes]struct{}{}

// fifo holds entries in the order of their requests: a ring that doubles when it is full. An entry's number is how many
// were before it; it wraps.
type fifo struct {
	ring []entry // length is a power of two, or 0
	head uint32  // number of the first
	n    uint32
}

func (f *fifo) push(e entry) {
	if int(f.n) == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.n)&uint32(len(f.ring)-1)] = e
	f.n++
}

// at returns the i-th entry from the front.
func (f *fifo) at(i uint32) *entry { return &f.ring[(f.head+i)&uint32(len(f.ring)-1)] }

func (f *fifo) pop() { f.drop(1) }

// drop removes the first n entries.
func (f *fifo) drop(n uint32) {
	f.head += n
	f.n -= n
}

func (f *fifo) grow() {
	ring := make([]entry, max(16, 2*len(f.ring)))
	for i := range f.n {
		ring[(f.head+i)&uint32(len(ring)-1)] = *f.at(i)
	}
	f.ring = ring
}

// shrink gives a large ring back when nothing is in it.
func (f *fifo) shrink() {
	if f.n == 0 && len(f.ring) > 1024 {
		f.ring = nil
	}
}
