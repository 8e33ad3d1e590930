package upstream

import (
	"sort"

	"github.com/cashew-proxy/cashew/internal/clock"
)

// mark tells when the connection's output was handed to the kernel, up to a place in it. All requests that left in
// one turn share a mark, so that a request itself needs no note of when it was sent.
type mark struct {
	to uint64 // the output count
	at clock.Instant
}

// marks holds the marks whose requests await their replies: a ring that doubles when it is full.
type marks struct {
	ring []mark // length is a power of two, or 0
	head uint32
	n    uint32
}

// mostMarks bounds them. Of a request that leaves in more pieces, and of those behind it, some count as sent a little later
// than they were.
const mostMarks = 1 << 10

func (m *marks) at(i uint32) *mark { return &m.ring[(m.head+i)&uint32(len(m.ring)-1)] }

// add notes what was sent.
func (m *marks) add(x mark) {
	if m.n > 0 {
		if last := m.at(m.n - 1); last.at == x.at || m.n == mostMarks {
			*last = x
			return
		}
	}
	if int(m.n) == len(m.ring) {
		ring := make([]mark, max(4, 2*len(m.ring)))
		for i := range m.n {
			ring[i] = *m.at(i)
		}
		m.ring, m.head = ring, 0
	}
	m.n++
	*m.at(m.n - 1) = x
}

// covering returns the mark of a request that was sent whole and ends at a place in the output. Those before it are
// gone then.
func (m *marks) covering(end uint64) mark {
	for m.at(0).to < end {
		m.head++
		m.n--
	}
	return *m.at(0)
}

// find is covering, but no mark is gone then.
func (m *marks) find(end uint64) mark {
	i := sort.Search(int(m.n), func(i int) bool { return m.at(uint32(i)).to >= end })
	return *m.at(uint32(i))
}

// reset forgets all marks.
func (m *marks) reset() { m.head, m.n = 0, 0 }

// measure counts the first n entries, which have been answered, in the server's histograms, and tells of those that
// were slow. Only one that is measured alone may have been picked.
func (c *Conn) measure(n uint32) {
	for i := uint32(0); i < n; {
		e := c.fifo.at(i)
		m := c.marks.covering(e.end)
		k := i + 1
		for k < n {
			if f := c.fifo.at(k); f.arrived != e.arrived || f.end > m.to {
				break
			}
			k++
		}
		at := e.arrived.at()
		c.counters.Latency.Observe(e.arrived.class(), m.at.Sub(at), c.now.Sub(m.at), uint64(k-i))
		if c.now.Sub(at) >= c.watch.slow || n == 1 && c.watch.picks(c.fifo.head) {
			for ; i < k; i++ {
				c.tell(i, m.at, nil)
			}
		}
		i = k
	}
}
