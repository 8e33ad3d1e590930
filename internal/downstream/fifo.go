package downstream

import (
	"github.com/cashew-proxy/cashew/internal/fragment"
	"github.com/cashew-proxy/cashew/internal/memcached"
)

// entry is one request's place in line.
type entry struct {
	body  []byte          // a pool buffer with what has come of the answer, if it had to wait
	group *fragment.Group // of a split request that awaits fragments
	state entryState
	hush  hush
	op    memcached.Op // where hush, or a failure, needs it
}

// hush is whether the client wants to see an answer.
type hush uint8

const (
	heard   hush = iota // it sees it
	unsure              // it was told to see no news: the first bytes will tell
	echoing             // it sees it; body has what it gets if the server fails
	hidden              // it does not, or has said CLIENT REPLY OFF or SKIP
)

// remember notes what is needed of a request of memcached when its answer comes.
func (e *entry) remember(r *memcached.Request) {
	e.op = r.Op
	if r.Silent {
		e.hush = unsure
	}
}

type entryState uint8

const (
	waiting  entryState = iota // no answer yet, or part of one
	begun                      // part of the answer is in the client's output already
	answered                   // the whole answer is in body
	barrier                    // the same, but it must wait for orphans too
)

// fifo holds a client's unanswered requests in order; a request's sequence number is its place.
type fifo struct {
	ring []entry // length is a power of two, or 0
	head uint32  // sequence number of the first
	n    uint32
}

// pushWaiting adds a request that awaits an answer and returns its sequence number. The entries of a
// ring that are not in use are zero, which is what such a request's entry is.
func (f *fifo) pushWaiting(r *rings) uint32 {
	if int(f.n) == len(f.ring) {
		f.move(r, r.get(len(f.ring)+1))
	}
	seq := f.head + f.n
	f.n++
	return seq
}

// push adds a request and returns its sequence number. A full ring is replaced by a larger one.
func (f *fifo) push(r *rings, e entry) uint32 {
	if int(f.n) == len(f.ring) {
		f.move(r, r.get(len(f.ring)+1))
	}
	seq := f.head + f.n
	f.ring[seq&uint32(len(f.ring)-1)] = e
	f.n++
	return seq
}

// unpush removes the last entry, which was just added by pushWaiting.
func (f *fifo) unpush() {
	f.n--
	e := &f.ring[(f.head+f.n)&uint32(len(f.ring)-1)]
	e.hush, e.op = heard, memcached.Unknown
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
	e := &f.ring[f.head&uint32(len(f.ring)-1)]
	e.state, e.hush, e.op = waiting, heard, memcached.Unknown
	f.head++
	f.n--
}

// move goes on in another ring.
func (f *fifo) move(r *rings, ring []entry) {
	for i := range f.n {
		ring[(f.head+i)&uint32(len(ring)-1)] = *f.at(i)
		*f.at(i) = entry{}
	}
	r.put(f.ring)
	f.ring = ring
}

// settle gives a large ring back when nothing is in it: an idle client keeps a small one at most.
func (f *fifo) settle(r *rings) {
	if f.n == 0 && len(f.ring) > smallRing {
		r.put(f.ring)
		f.ring = nil
	}
}

// reset empties the fifo, whose entries must own nothing any more.
func (f *fifo) reset(r *rings) {
	for i := range f.n {
		*f.at(i) = entry{}
	}
	f.head, f.n = 0, 0
	f.settle(r)
}

// smallRing is the size of a ring that an idle client keeps.
const smallRing = 4

// ringSizes are the sizes of rings that are kept for reuse, and how many: pipelining clients fill and
// empty them all the time. Beyond the largest they double.
var ringSizes = [...]struct{ entries, kept int }{{smallRing, 1024}, {64, 1024}, {512, 256}, {4096, 32}}

// rings are the free rings of one worker. The entries of a free ring own nothing.
type rings struct{ free [len(ringSizes)][][]entry }

// get returns a ring for at least n entries.
func (r *rings) get(n int) []entry {
	for i, size := range ringSizes {
		if n > size.entries {
			continue
		}
		if k := len(r.free[i]) - 1; k >= 0 {
			ring := r.free[i][k]
			r.free[i] = r.free[i][:k]
			return ring
		}
		return make([]entry, size.entries)
	}
	size := 2 * ringSizes[len(ringSizes)-1].entries
	for size < n {
		size *= 2
	}
	return make([]entry, size)
}

// put takes back a ring that owns nothing any more.
func (r *rings) put(ring []entry) {
	for i, size := range ringSizes {
		if len(ring) == size.entries && len(r.free[i]) < size.kept {
			r.free[i] = append(r.free[i], ring)
		}
	}
}
