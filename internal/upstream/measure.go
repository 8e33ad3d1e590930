package upstream

import "github.com/cashew-proxy/cashew/internal/clock"

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

// mostMarks bounds them. A request that leaves in more pieces, and those behind it, count as sent a little earlier
// than they were.
const mostMarks = 1 << 10

func (m *marks) at(i uint32) *mark { return &m.ring[(m.head+i)&uint32(len(m.ring)-1)] }

// add notes what was sent.
func (m *marks) add(x mark) {
	if m.n > 0 {
		if last := m.at(m.n - 1); last.at == x.at || m.n == mostMarks {
			last.to = x.to
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

// reset forgets all marks.
func (m *marks) reset() { m.head, m.n = 0, 0 }

// measure counts the first n entries, which have been answered, in the server's histograms.
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
		c.counters.Latency.Observe(e.arrived.class(), m.at.Sub(e.arrived.at()), c.now.Sub(m.at), uint64(k-i))
		i = k
	}
}
