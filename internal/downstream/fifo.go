package downstream

import (
	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/fragment"
)

// entry is one request's place in line.
type entry struct {
	body  *bytebuf.Queue  // what has come of the answer, if it had to wait; nil if nothing
	group *fragment.Group // of a split request that awaits fragments
	state entryState
}

type entryState uint8

const (
	waiting  entryState = iota // no answer yet, or part of one
	begun                      // part of the answer is in the client's output already
	answered                   // the whole answer is in body
)

// fifo holds a client's unanswered requests in order; a request's sequence number is its place.
type fifo struct {
	ring []entry // length is a power of two, or 0
	head uint32  // sequence number of the first
	n    uint32
}

// push adds a request and returns its sequence number.
func (f *fifo) push(e entry) uint32 {
	if int(f.n) == len(f.ring) {
		f.grow()
	}
	seq := f.head + f.n
	f.ring[seq&uint32(len(f.ring)-1)] = e
	f.n++
	return seq
}

// at returns the i-th entry from the front.
func (f *fifo) at(i uint32) *entry { return &f.ring[(f.head+i)&uint32(len(f.ring)-1)] }

// find returns the entry with a sequence number, nil if it has been answered.
func (f *fifo) find(seq uint32) *entry {
	if seq-f.head >= f.n {
		return nil
	}
	return &f.ring[seq&uint32(len(f.ring)-1)]
}

// pop removes the first entry, which must own nothing any more.
func (f *fifo) pop() {
	f.ring[f.head&uint32(len(f.ring)-1)] = entry{}
	f.head++
	f.n--
}

func (f *fifo) grow() {
	ring := make([]entry, max(4, 2*len(f.ring)))
	for i := range f.n {
		ring[(f.head+i)&uint32(len(ring)-1)] = *f.at(i)
	}
	f.ring = ring
}

// reset empties the fifo; a small ring is kept for the next client.
func (f *fifo) reset() {
	clear(f.ring)
	f.head, f.n = 0, 0
	if len(f.ring) > 16 {
		f.ring = nil
	}
}

// shrink gives a large ring back when nothing is in it.
func (f *fifo) shrink() {
	if f.n == 0 && len(f.ring) > 16 {
		f.ring = nil
	}
}
