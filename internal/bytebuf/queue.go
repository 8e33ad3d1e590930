package bytebuf

import "bytes"

const (
	firstSegment = 1 << 10 // room of an empty queue's first buffer
	lastSegment  = 32 << 10
	// largeSegment is the room reserved at once for the bytes of a large value.
	largeSegment = 1 << 20
)

// Queue is a first-in first-out sequence of bytes in pool buffers: the unsent output of a connection.
// An empty queue owns no buffer. The zero value is ready; the same Pool must be given to every call.
type Queue struct {
	segs [][]byte // segs[head][off:] is next; the last one may have room
	head int
	off  int
	size int
	hint int // room that the first buffer should have, from what the queue held lately
}

// Len is the number of bytes queued.
func (q *Queue) Len() int { return q.size }

// Append copies b to the end.
func (q *Queue) Append(p *Pool, b []byte) {
	if n := len(q.segs); n > 0 {
		last := q.segs[n-1]
		if cap(last)-len(last) >= len(b) {
			q.segs[n-1] = append(last, b...)
			q.size += len(b)
			return
		}
	}
	q.appendSlow(p, b)
}

// appendSlow fills the last buffer and puts the rest into a new one, twice as large up to a bound.
func (q *Queue) appendSlow(p *Pool, b []byte) {
	if len(b) == 0 {
		return
	}
	q.size += len(b)
	room := max(firstSegment, q.hint)
	if n := len(q.segs); n > 0 {
		last := q.segs[n-1]
		fit := cap(last) - len(last)
		q.segs[n-1] = append(last, b[:fit]...)
		b = b[fit:]
		room = min(2*cap(last), lastSegment)
		q.hint = room // one buffer will do next time, or nearly
	}
	q.segs = append(q.segs, append(p.Get(max(room, len(b))), b...))
}

// Take puts the pool buffer b at the end without copying. The queue owns it from now on.
func (q *Queue) Take(p *Pool, b []byte) {
	if len(b) == 0 {
		p.Put(b)
		return
	}
	q.size += len(b)
	q.segs = append(q.segs, b)
}

// Reserve returns room at the end for a large value of which want bytes are still to come: at least
// one byte, at most want. The caller reads into it and says with Commit how much came.
func (q *Queue) Reserve(p *Pool, want int) []byte {
	if n := len(q.segs); n > 0 {
		last := q.segs[n-1]
		if room := cap(last) - len(last); cap(last) >= MapSize && room >= min(want, MapSize/4) {
			return last[len(last) : len(last)+min(room, want) : len(last)+min(room, want)]
		}
	}
	b := p.Get(min(max(want, MapSize), largeSegment))
	q.segs = append(q.segs, b)
	n := min(cap(b), want)
	return b[:n:n]
}

// Commit adds the first n bytes of the last reservation to the queue. Reserve without Commit, or a
// commit of nothing, leaves the queue as it was.
func (q *Queue) Commit(p *Pool, n int) {
	i := len(q.segs) - 1
	q.segs[i] = q.segs[i][:len(q.segs[i])+n]
	q.size += n
	if len(q.segs[i]) == 0 {
		p.Put(q.segs[i])
		q.segs[i] = nil
		q.segs = q.segs[:i]
	}
}

// Buffers appends the queued bytes to iov as slices, up to iov's capacity and about limit bytes. They
// are borrowed until the next call that changes the queue.
func (q *Queue) Buffers(iov [][]byte, limit int) [][]byte {
	off := q.off
	for i := q.head; i < len(q.segs) && limit > 0 && len(iov) < cap(iov); i++ {
		b := q.segs[i][off:]
		off = 0
		if len(b) == 0 {
			continue
		}
		iov = append(iov, b)
		limit -= len(b)
	}
	return iov
}

// Has says whether the bytes that begin so many before the end are b.
func (q *Queue) Has(before int, b []byte) bool {
	if before > q.size || len(b) > before {
		return false
	}
	i := len(q.segs) - 1
	for ; before > len(q.segs[i]); i-- {
		before -= len(q.segs[i])
	}
	for seg := q.segs[i][len(q.segs[i])-before:]; ; seg = q.segs[i] {
		n := min(len(seg), len(b))
		if !bytes.Equal(seg[:n], b[:n]) {
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
		i++
	}
}

// Cut drops the last n bytes, of which there must be so many, and gives back what they leave empty.
func (q *Queue) Cut(p *Pool, n int) {
	if n >= q.size {
		q.Clear(p)
		return
	}
	q.size -= n
	for {
		i := len(q.segs) - 1
		last := q.segs[i]
		if len(last) > n {
			q.segs[i] = last[:len(last)-n]
			return
		}
		n -= len(last)
		p.Put(last)
		q.segs[i] = nil
		q.segs = q.segs[:i]
	}
}

// Consume drops the first n bytes and gives their buffers back.
func (q *Queue) Consume(p *Pool, n int) {
	q.size -= n
	for q.head < len(q.segs) {
		seg := q.segs[q.head]
		left := len(seg) - q.off
		if n < left {
			q.off += n
			return
		}
		n -= left
		if len(q.segs) == 1 && 4*len(seg) < q.hint {
			q.hint /= 2 // it was more than was needed
		}
		p.Put(seg)
		q.segs[q.head] = nil
		q.head++
		q.off = 0
		if n == 0 && q.size > 0 {
			q.compact()
			return
		}
	}
	q.reset()
}

// Clear drops everything.
func (q *Queue) Clear(p *Pool) {
	for i := q.head; i < len(q.segs); i++ {
		p.Put(q.segs[i])
		q.segs[i] = nil
	}
	q.reset()
}

// compact moves the list of buffers to the front of its array once half of it is used up.
func (q *Queue) compact() {
	if q.head < 32 || q.head < len(q.segs)/2 {
		return
	}
	n := copy(q.segs, q.segs[q.head:])
	clear(q.segs[n:])
	q.segs = q.segs[:n]
	q.head = 0
}

// reset makes the queue empty. A list that grew long is dropped, a short one kept.
func (q *Queue) reset() {
	if cap(q.segs) > 64 {
		q.segs = nil
	}
	q.segs = q.segs[:0]
	q.head, q.off, q.size = 0, 0, 0
}
