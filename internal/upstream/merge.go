package upstream

import (
	"bytes"

	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// A get of memcached that waits to be sent, and those that are queued right behind it, travel in one line: the server finds many
// keys in a line for less than many lines, and answers them all with one END. Each of the requests keeps its entry in the FIFO, and is
// answered as if it had been sent by itself. The server leaves out what it does not have; so the keys are remembered, and
// tell whose each value is.

const (
	// longestLine bounds a line with several keys. A memcached wants to see the end of a line among the first 2048 bytes; it
	// makes an exception for gets, which costs it a larger buffer, and of which others need not know.
	longestLine = 2048
	// mostMerged bounds the requests of a line.
	mostMerged = 100
	// mostKeys bounds the bytes of keys that a connection remembers. With more in flight each get has its own line.
	mostKeys = 1 << 20

	lineEnd = "\r\n"
)

// endLine ends a get's reply; it is not to be written to.
var endLine = []byte("END\r\n")

// merges has the lines of a connection that several gets share.
type merges struct {
	open  sharedLine // the last get that was queued, with those that it shares its line with
	verb  byte       // its fourth byte, which tells get and gets apart
	begin uint64     // where its line begins in the output

	lines []sharedLine // of several requests, in order; those before head are answered
	head  int
	keys  []byte // the keys of their requests, and the open one's, each behind its length
	next  int    // where in keys the first request's is that is not answered
	kept  int    // where those of the lines end

	partial []byte // what has come of a line of the reply
	valued  bool   // the last request of the first line has its value and waits for END
	replies []byte // to requests that are answered at once
}

// sharedLine is what is left to answer of a line.
type sharedLine struct {
	first uint32 // number of the first request
	n     uint32
	end   uint64 // the place in the output behind the line
}

// shares says whether a get that is about to be queued may travel in the line of the last request.
func (c *Conn) shares(b []byte) bool {
	m := &c.merge
	return m.open.n > 0 && m.open.first+m.open.n == c.fifo.head+c.fifo.n && m.begin >= c.sentTo && m.verb == b[3] &&
		m.open.n < mostMerged && c.queuedTo-m.begin+uint64(len(b)) <= longestLine && len(m.keys)-m.next < mostKeys
}

// queueGet queues a get. It returns by how much the output has grown.
func (c *Conn) queueGet(b []byte, key message.Key) int {
	m := &c.merge
	if !c.shares(b) {
		m.begin, m.verb = c.queuedTo, b[3]
		m.open = sharedLine{first: c.fifo.head + c.fifo.n, n: 1}
		m.compact()
		m.remember(b, key)
		c.out.Append(c.pool, b)
		return len(b)
	}
	c.out.Cut(c.pool, len(lineEnd))
	c.out.Append(c.pool, b[key.At-1:]) // with the space before it
	grown := len(b) - (key.At - 1) - len(lineEnd)
	m.open.n++
	m.open.end = c.queuedTo + uint64(grown)
	if m.open.n == 2 {
		m.lines = append(m.lines, m.open)
	}
	m.lines[len(m.lines)-1] = m.open
	m.remember(b, key)
	m.kept = len(m.keys)
	c.counters.Inc(stats.MergedGets)
	return grown
}

// keyPlace is where in the output a get's key will be.
func (c *Conn) keyPlace(b []byte, key message.Key) uint64 {
	if c.shares(b) {
		return c.queuedTo - uint64(len(lineEnd)) + 1
	}
	return c.queuedTo + uint64(key.At)
}

// remember keeps the key of a get.
func (m *merges) remember(b []byte, key message.Key) {
	at := len(m.keys)
	m.keys = append(m.keys, b[key.At-1:key.End]...) // with the byte before it, where its length goes
	m.keys[at] = byte(key.End - key.At)
}

// compact forgets what is answered, and the key of a get that has remained alone in its line.
func (m *merges) compact() {
	m.keys = m.keys[:m.kept]
	if m.head >= 32 && m.head >= len(m.lines)/2 || m.head == len(m.lines) {
		m.lines = m.lines[:copy(m.lines, m.lines[m.head:])]
		m.head = 0
	}
	if m.next >= 4<<10 && m.next >= len(m.keys)/2 || m.next == len(m.keys) {
		m.keys = m.keys[:copy(m.keys, m.keys[m.next:])]
		m.next, m.kept = 0, len(m.keys)
	}
}

// forget has the next get begin anew, with a new output.
func (m *merges) forget() {
	*m = merges{lines: m.lines[:0], keys: m.keys[:0], partial: m.partial[:0], replies: m.replies[:0]}
}

// shrink gives back what has grown large when no line is shared.
func (m *merges) shrink() {
	if m.head == len(m.lines) && cap(m.keys)+cap(m.replies) > 16<<10 {
		*m = merges{}
	}
}

// before is how many of n requests, from the one with a number on, come before any that share a line.
func (m *merges) before(number, n uint32) uint32 {
	if m.head < len(m.lines) {
		return min(n, m.lines[m.head].first-number)
	}
	return n
}

// leads says whether the request with a number is the first one left of a shared line.
func (m *merges) leads(number uint32) bool {
	return m.head < len(m.lines) && m.lines[m.head].first == number
}

// key returns the key that is remembered at a place, and the place behind it.
func (m *merges) key(at int) ([]byte, int) {
	end := at + 1 + int(m.keys[at])
	return m.keys[at+1 : end], end
}

// find returns how many requests are before the first with a key, of the n whose keys are from a place on; n if none has it.
func (m *merges) find(key []byte, at int, n uint32) (before uint32) {
	for ; before < n; before++ {
		var other []byte
		if other, at = m.key(at); bytes.Equal(other, key) {
			break
		}
	}
	return before
}

// misses says whether, by what b begins with, the first of n requests whose keys are from a place on has no value, and how many
// behind it have none either.
func (m *merges) misses(b []byte, at int, n uint32) (more uint32, ok bool) {
	if bytes.HasPrefix(b, endLine) {
		return n - 1, true
	}
	key, _ := memcached.Value(b)
	before := m.find(key, at, n)
	return before - 1, before > 0 && before < n
}

// drop removes the first n requests of the first line; the keys of those behind begin at next.
func (m *merges) drop(n uint32, next int) {
	l := &m.lines[m.head]
	l.first += n
	l.n -= n
	m.next = next
	if l.n == 0 {
		m.head++
		m.valued = false
	}
}

// receivedShared takes bytes of the reply to the shared line at the front of the FIFO, and returns how many. The parser is shown a
// line or a part of a value at a time, and takes each value for a reply of its own.
func (c *Conn) receivedShared(b []byte) int {
	m := &c.merge
	switch {
	case m.lines[m.head].end > c.sentTo:
		c.fail(message.ErrReply)
		return len(b)
	case c.parser.bulk() > 0:
		return c.receivedBlock(b)
	case len(m.partial) == 0 && !m.valued:
		if n, answered := c.wholeValues(b); answered {
			return n
		}
	}
	return c.receivedLine(b)
}

// wholeValues is the fast path: short values that have come whole are passed on at once, to consecutive requests of one client,
// and END to those of them that have none.
func (c *Conn) wholeValues(b []byte) (used int, answered bool) {
	m := &c.merge
	n := m.lines[m.head].n
	first := c.fifo.at(0).ticket
	most := c.watch.first(c.fifo.head, n)
	if most == 0 || c.expired > 0 || joined(first) {
		most = 1
	}
	m.replies = m.replies[:0]
	count, misses, at := uint32(0), uint32(0), m.next
	for t := first; count < most && (count == 0 || c.fifo.at(count).ticket == t); t.Sequence++ {
		key, behind := m.key(at)
		if misses > 0 {
			misses--
		} else if size := memcached.ShortValue(b[used:], key); size > 0 {
			if count+1 == n && !bytes.HasPrefix(b[used+size:], endLine) {
				break
			}
			m.replies = append(m.replies, b[used:used+size]...)
			used += size
		} else if more, ok := m.misses(b[used:], at, n-count); ok {
			misses = more
		} else {
			break
		}
		m.replies = append(m.replies, endLine...)
		at = behind
		count++
	}
	if count == n {
		used += len(endLine)
	}
	if count > 0 {
		m.drop(count, at)
		c.answerWhole(first, count)
	}
	return used, count > 0
}

// answerWhole answers the first count requests, the first of which has ticket t, with what wholeValues has found. They
// have left the line.
func (c *Conn) answerWhole(t message.Ticket, count uint32) {
	b := c.merge.replies
	if count >= 2 && c.owner.Replies(t, b, count) {
		c.answeredAll(count)
		return
	}
	c.heardGood()
	for ; count > 1; count-- {
		n := memcached.Short(b)
		c.answerWith(b[:n])
		b = b[n:]
	}
	c.answerWith(b)
}

// receivedLine takes the reply's next line, or what has come of it, and of a value as much as has come with it.
func (c *Conn) receivedLine(b []byte) int {
	m := &c.merge
	n := bytes.IndexByte(b, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(b)
	}
	line := b[:n]
	_, done, err := c.parser.next(line)
	if err != nil {
		c.fail(message.ErrReply)
		return n
	}
	if len(m.partial) > 0 || !whole {
		m.partial = append(m.partial, line...)
		line = m.partial
	}
	if !whole {
		return n
	}
	m.partial = m.partial[:0]
	if done {
		c.answerAlike(line)
		return n
	}
	return n + c.beginValue(line, b[n:])
}

// beginValue takes the line of a value and the beginning of what follows it. It returns how much of that it has taken.
func (c *Conn) beginValue(line, b []byte) int {
	m := &c.merge
	n := m.lines[m.head].n
	key, _ := memcached.Value(line)
	misses := m.find(key, m.next, n)
	if misses == n || m.valued { // nobody asked for it
		c.fail(message.ErrReply)
		return len(b)
	}
	if misses > 0 {
		c.heardGood()
	}
	for range misses {
		c.answerShared(endLine)
	}
	c.watch.reply += int64(len(line))
	c.answer(c.fifo.at(0).ticket, line, false)
	if len(b) == 0 {
		return 0
	}
	return c.receivedBlock(b)
}

// receivedBlock takes bytes of a value.
func (c *Conn) receivedBlock(b []byte) int {
	b = b[:min(len(b), c.parser.bulk())]
	if _, _, err := c.parser.next(b); err != nil {
		c.fail(message.ErrReply)
		return len(b)
	}
	c.watch.reply += int64(len(b))
	c.answer(c.fifo.at(0).ticket, b, false)
	if c.parser.bulk() == 0 {
		c.endValue()
	}
	return len(b)
}

// endValue is called when the first request has all of its value.
func (c *Conn) endValue() {
	c.parser.reset(c.set, c.lane)
	c.heardGood()
	if m := &c.merge; m.lines[m.head].n == 1 {
		m.valued = true
		return
	}
	c.answerShared(endLine)
}

// answerAlike answers all that are left of the line with its last line: END, as the server has not what they ask for, or an error.
func (c *Conn) answerAlike(line []byte) {
	if !bytes.Equal(line, endLine) && !memcached.IsError(line) {
		c.fail(message.ErrReply)
		return
	}
	if c.set.FailureLimit > 0 {
		c.listen(line, true)
	}
	for n := c.merge.lines[c.merge.head].n; n > 0; n-- {
		c.answerShared(line)
	}
}

// answerShared answers the first request of the line with the last bytes of its reply.
func (c *Conn) answerShared(b []byte) {
	_, next := c.merge.key(c.merge.next)
	c.merge.drop(1, next)
	c.answerWith(b)
}

// answerWith answers the first request, which has left the line, with the last bytes of its reply.
func (c *Conn) answerWith(b []byte) {
	c.watch.reply += int64(len(b))
	c.answer(c.fifo.at(0).ticket, b, true)
}
