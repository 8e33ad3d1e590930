package upstream

import (
	"hash/crc32"

	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// A read that is identical to one which waits to be sent is not sent itself: it joins that one, and the reply is for both.
// The server runs the read after each of them has come, so that nobody sees less than what was written before he asked.
// Between the two there is no other request with that key, and none of which the keys are not known: so what a client does
// with a key stays in order.

// places is how many reads may wait to be joined. Keys that share a place take it from each other.
const places = 256

// joins has the reads of a connection that others may join, and those that have.
type joins struct {
	open  *[places]openRead // by key, the last request with it, if that is a read; nil until the first
	after uint64            // reads that begin before this place in the output are not joined any more
	chain []joiner          // of all entries; the first is nobody
	free  uint32            // the first of those that are in use no more; 0 is none
	used  uint32
}

// openRead is a read in the output: all of it, or, as it may share a line with others, its key. One of no size is none.
type openRead struct {
	begin  uint64 // its place in the output
	number uint32 // the entry's in the FIFO
	size   uint32
	verb   byte // of one that may share a line, what tells get and gets apart; else 0
}

// joiner is a request that waits for a reply together with others.
type joiner struct {
	ticket message.Ticket
	next   uint32 // the one after it, 0 if it is the last
}

// joined says that the ticket of an entry is not one client's: several requests wait for its reply, all alike. It says where
// in the chain the first and the last of them are. Without a client it finds nobody.
func joined(t message.Ticket) bool { return t.Client == 0 }

func joinedTicket(first, last uint32) message.Ticket {
	return message.Ticket{Sequence: first, Fragment: last}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// join has the request b be answered together with an identical one that waits to be sent, and reports whether there is one.
// If not, b is about to be queued: others may join it, or what was queued before it must not be joined any more.
func (c *Conn) join(t message.Ticket, b []byte, key message.Key) bool {
	j := &c.joins
	if key.At == 0 {
		j.close(c.queuedTo)
		return false
	}
	if j.open == nil {
		j.open = new([places]openRead)
	}
	r := &j.open[crc32.Checksum(b[key.At:key.End], castagnoli)%places]
	same, read := c.openRead(b, key)
	if key.Joinable && r.size == read.size && r.verb == read.verb && r.begin >= max(j.after, c.sentTo) && c.out.Has(int(c.queuedTo-r.begin), same) {
		if i := r.number - c.fifo.head; i >= c.expired { // an orphan's reply is dropped
			e := c.fifo.at(i)
			e.ticket = j.add(e.ticket, t)
			c.counters.Inc(stats.JoinedReads)
			return true
		}
	}
	*r = openRead{}
	if key.Joinable {
		*r = read
	}
	return false
}

// openRead is what a read becomes if it is queued, and the bytes in which another one must be like it.
func (c *Conn) openRead(b []byte, key message.Key) ([]byte, openRead) {
	r := openRead{begin: c.queuedTo, number: c.fifo.head + c.fifo.n}
	if key.Mergeable {
		r.begin, r.verb = c.keyPlace(b, key), b[3]
		b = b[key.At:key.End]
	}
	r.size = uint32(len(b))
	return b, r
}

// close has nothing be joined that begins before a place in the output.
func (j *joins) close(at uint64) { j.after = at }

// forget has nothing be joined of what there is, and begins with a new output.
func (j *joins) forget() {
	j.after = 0
	if j.open != nil {
		*j.open = [places]openRead{}
	}
}

// add has the request of ticket t wait where another one does, or several do.
func (j *joins) add(to, t message.Ticket) message.Ticket {
	if !joined(to) {
		first := j.put(to)
		to = joinedTicket(first, first)
	}
	last := j.put(t)
	j.chain[to.Fragment].next = last
	return joinedTicket(to.Sequence, last)
}

func (j *joins) put(t message.Ticket) uint32 {
	j.used++
	if i := j.free; i != 0 {
		j.free = j.chain[i].next
		j.chain[i] = joiner{ticket: t}
		return i
	}
	if j.chain == nil {
		j.chain = append(j.chain, joiner{})
	}
	j.chain = append(j.chain, joiner{ticket: t})
	return uint32(len(j.chain) - 1)
}

// holders calls f for every ticket that an entry's stands for. It may lead to requests that join others.
func (c *Conn) holders(t message.Ticket, f func(message.Ticket)) {
	if !joined(t) {
		f(t)
		return
	}
	for i := t.Sequence; i != 0; {
		x := c.joins.chain[i]
		f(x.ticket)
		i = x.next
	}
}

// holding is how many there are.
func (c *Conn) holding(t message.Ticket) (n uint64) {
	c.holders(t, func(message.Ticket) { n++ })
	return n
}

// leader is the ticket of the request that was sent.
func (c *Conn) leader(t message.Ticket) message.Ticket {
	if joined(t) {
		return c.joins.chain[t.Sequence].ticket
	}
	return t
}

// release takes back what an entry's ticket stands for; the entry has gone.
func (j *joins) release(t message.Ticket) {
	if !joined(t) {
		return
	}
	for i := t.Sequence; i != 0; i = j.chain[i].next {
		j.used--
	}
	j.chain[t.Fragment].next = j.free
	j.free = t.Sequence
}

// shrink gives a long chain back when nobody is in it.
func (j *joins) shrink() {
	if j.used == 0 && len(j.chain) > 1024 {
		j.chain, j.free = nil, 0
	}
}

// answerJoined passes bytes of a reply on to all that wait for it.
func (c *Conn) answerJoined(t message.Ticket, b []byte, done, orphan bool) {
	switch {
	case !orphan:
		c.holders(t, func(t message.Ticket) { c.owner.Reply(t, b, done) })
	case done:
		c.counters.Inc(stats.LateReplies)
		c.holders(t, c.owner.Over)
	}
	if done {
		c.joins.release(t)
	}
}
