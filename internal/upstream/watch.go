package upstream

import (
	"math"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Record is what is known of a request once it has its reply, or has failed.
type Record struct {
	Ticket  message.Ticket
	Class   stats.Class
	Head    []byte // how the request begins, borrowed; empty if that was not kept
	Arrived clock.Instant
	Sent    clock.Instant // when the kernel had all of it; 0 if it never had
	Done    clock.Instant
	Err     error // why there was no reply, or none in time

	// Name and Key are the command and the beginning of its first key, borrowed, where Head would not reach that key's end.
	// Hash is then the whole key's, as Hash has it.
	Name, Key []byte
	Hash      uint32

	// Bytes of the request, and of the reply as far as it came: only of samples, and of what is big.
	Request, Reply int64
	// Joiners are the requests that have joined it: only of samples.
	Joiners uint64
}

// Hash tells keys apart that begin alike.
func Hash(key []byte) uint32 { return hashkit.FNV1a_64(key) }

// Waiting and Serving are the two parts of the request's time.
func (r *Record) Waiting() time.Duration {
	if r.Sent == 0 {
		return r.Done.Sub(r.Arrived)
	}
	return r.Sent.Sub(r.Arrived)
}

func (r *Record) Serving() time.Duration { return r.Done.Sub(r.Arrived) - r.Waiting() }

// Sample is what a request was picked for.
type Sample uint8

// The purposes.
const (
	ForHotKeys Sample = 1 << iota
	ForAccessLog
)

const (
	headSize = 95
	// nameKept and keyKept are how much is kept of a command's name and of a key that are kept by themselves.
	nameKept = 24
	keyKept  = 64
)

// head is how a request begins. If its first key does not end there, as it is long or stands behind much else, the
// command's name and the key are kept instead.
type head struct {
	n    uint8
	name uint8 // bytes of the name at the front of b; 0: b is the request's
	hash uint32
	b    [headSize]byte
}

// keep keeps how a request begins; keyEnd is where its first key ends, 0 if that is not known.
func (c *Conn) keep(h *head, b []byte, keyEnd int) {
	if len(b) <= headSize || uint(keyEnd-1) < headSize {
		h.n, h.name = uint8(copy(h.b[:], b)), 0
		return
	}
	name, key := c.owner.Peek(c, b)
	h.name = uint8(copy(h.b[:nameKept], name))
	h.n, h.hash = h.name+uint8(copy(h.b[h.name:][:keyKept], key)), Hash(key)
}

// tell has a record say what was kept.
func (h *head) tell(r *Record) {
	if h.name == 0 {
		r.Head = h.b[:h.n]
		return
	}
	r.Name, r.Key, r.Hash = h.b[:h.name], h.b[h.name:h.n], h.hash
}

// noted is how the request with a number begins.
type noted struct {
	number uint32
	head
}

// sample is a request that was picked.
type sample struct {
	noted
	why     Sample
	request int64
}

const (
	// notes are the requests of which the beginnings are kept in case that they are slow: the oldest in flight. It is
	// one of them that holds the others up, and with many in flight most cost nothing.
	notes = 32
	// slowAtOnce bounds what is told of slow requests in one turn: those behind the first few are not to blame.
	slowAtOnce = 8
	// samplesAtOnce bounds the samples in flight. Of more only the first are taken.
	samplesAtOnce = 64
)

// watch is what a connection keeps for the slow log and for samples. Requests are numbered as they enter the FIFO, so
// that a request which is neither noted nor picked costs two comparisons.
type watch struct {
	slow    time.Duration // from which on a request is slow
	big     int64         // bytes from which on a request or a reply is big
	reply   int64         // bytes that have come of the reply to the first request
	noting  bool          // something is slow, or big
	pick    uint32        // number of the next request to be picked
	samples []sample      // in flight, in order

	notes  []noted // by number; nil until the first
	told   int     // slow requests told in the turn of toldAt
	toldAt clock.Instant

	every [2]uint32 // one of so many is picked, by purpose; 0 is none
	next  [2]uint32 // number of the next one; the nearer is pick
	seed  uint64
}

// never is longer than any request takes.
const never = time.Duration(1<<63 - 1)

// configure takes settings; number is the next request's. What is in flight stays picked.
func (w *watch) configure(set *topology.Settings, number uint32) {
	if w.slow = set.SlowThreshold; w.slow == 0 {
		w.slow = never
	}
	if w.big = set.BigThreshold; w.big == 0 {
		w.big = math.MaxInt64
	}
	w.noting = set.SlowThreshold != 0 || set.BigThreshold != 0
	every := [2]uint32{uint32(set.HotKeysSample), uint32(set.AccessLogSample)}
	if w.seed != 0 && every == w.every {
		return
	}
	w.every = every
	w.seed = max(w.seed, 1)
	for i := range every {
		w.next[i] = number + w.draw(i) - 1
	}
	w.choose(number - 1)
}

// draw is how far it is to the next pick: any number around which the distances have the right mean, so that requests
// that come in turns do not fall in step with it.
func (w *watch) draw(i int) uint32 {
	n := uint64(w.every[i])
	if n == 0 {
		return 0
	}
	w.seed ^= w.seed << 13 // xorshift64
	w.seed ^= w.seed >> 7
	w.seed ^= w.seed << 17
	return uint32(1 + w.seed%(2*n-1))
}

// choose sets the next pick after a number. Without any it is four billion requests away, and then picks nothing.
func (w *watch) choose(number uint32) {
	w.pick = number
	for i, every := range w.every {
		if every > 0 && w.next[i]-number-1 < w.pick-number-1 {
			w.pick = w.next[i]
		}
	}
}

// picked takes the request with the number that is due.
func (c *Conn) picked(number uint32, b []byte, keyEnd int) {
	w := &c.watch
	s := sample{request: int64(len(b))}
	for i, every := range w.every {
		if every > 0 && w.next[i] == number {
			s.why |= 1 << i
			w.next[i] = number + w.draw(i)
		}
	}
	w.choose(number)
	if s.why == 0 || len(w.samples) == samplesAtOnce {
		return
	}
	s.number = number
	c.keep(&s.head, b, keyEnd)
	w.samples = append(w.samples, s)
}

// note keeps how a request begins.
func (c *Conn) note(number uint32, b []byte, keyEnd int) {
	w := &c.watch
	if w.notes == nil {
		w.notes = make([]noted, notes)
	}
	n := &w.notes[number%notes]
	n.number = number
	c.keep(&n.head, b, keyEnd)
}

// noted has a record say how a request begins, if that was kept.
func (w *watch) noted(number uint32, r *Record) {
	if w.notes != nil {
		if n := &w.notes[number%notes]; n.number == number {
			n.tell(r)
		}
	}
}

// first is the number of requests at the front of the FIFO that nobody has picked, at most n.
func (w *watch) first(head, n uint32) uint32 {
	if len(w.samples) > 0 {
		return min(n, w.samples[0].number-head)
	}
	return n
}

// picks says that the request at the front of the FIFO was picked.
func (w *watch) picks(head uint32) bool { return len(w.samples) > 0 && w.samples[0].number == head }

// bigRequest tells of a request that is big.
func (c *Conn) bigRequest(t message.Ticket, b []byte) {
	c.counters.Inc(stats.BigRequests)
	r := Record{Ticket: t, Request: int64(len(b))}
	r.Name, r.Key = c.owner.Peek(c, b)
	r.Hash = Hash(r.Key)
	c.owner.Big(c, &r)
}

// weighed is called when the reply to the first request has ended.
func (c *Conn) weighed() {
	if w := &c.watch; w.reply >= w.big {
		c.counters.Inc(stats.BigReplies)
		r := Record{Ticket: c.leader(c.fifo.at(0).ticket), Reply: w.reply}
		w.noted(c.fifo.head, &r)
		c.owner.Big(c, &r)
	}
	c.watch.reply = 0
}

// tell reports what is to be told of the i-th request in the FIFO, which is over: that it was slow, that it was picked. sent
// is when it was handed over, 0 if it was not. Of an orphan everything was told when it became one.
func (c *Conn) tell(i uint32, sent clock.Instant, err error) {
	if i < c.expired {
		return
	}
	e, w := c.fifo.at(i), &c.watch
	r := Record{Ticket: c.leader(e.ticket), Class: e.arrived.class(), Arrived: e.arrived.at(), Sent: sent, Done: c.now, Err: err}
	number := c.fifo.head + i
	if c.now.Sub(r.Arrived) >= w.slow {
		c.counters.Inc(stats.SlowRequests)
		if w.toldAt != c.now {
			w.toldAt, w.told = c.now, 0
		}
		if w.told++; w.told <= slowAtOnce {
			w.noted(number, &r)
			c.owner.Slow(c, &r)
		}
	}
	if w.picks(number) {
		s := &w.samples[0]
		s.tell(&r)
		r.Joiners = c.holding(e.ticket) - 1
		if r.Request = s.request; i == 0 {
			r.Reply = w.reply
		}
		c.owner.Sampled(c, &r, s.why)
		w.samples = w.samples[:copy(w.samples, w.samples[1:])]
	}
}

// tellUnanswered is tell for a request that has no reply.
func (c *Conn) tellUnanswered(i uint32, err error) {
	sent := clock.Instant(0)
	if e := c.fifo.at(i); e.end <= c.sentTo {
		sent = c.marks.find(e.end).at
	}
	c.tell(i, sent, err)
}

// tellFailed is tell for all that wait, before the connection forgets them.
func (c *Conn) tellFailed(err error) {
	defer func() { c.watch.reply = 0 }()
	if c.watch.slow == never && len(c.watch.samples) == 0 {
		return
	}
	for i := range c.fifo.n {
		c.tellUnanswered(i, err)
	}
	c.watch.samples = c.watch.samples[:0]
}
