package upstream

import (
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
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

	// Bytes of the request, and of the reply as far as it came: only of samples.
	Request, Reply int64
}

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

// head is how a request begins: enough for the name of its command and 64 bytes of a key.
type head struct {
	n uint8
	b [95]byte
}

func (h *head) keep(b []byte) { h.n = uint8(copy(h.b[:], b)) }
func (h *head) bytes() []byte { return h.b[:h.n] }

// noted is how the request with a number begins.
type noted struct {
	number uint32
	head
}

// sample is a request that was picked.
type sample struct {
	noted
	why            Sample
	request, reply int64
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
func (w *watch) configure(slow time.Duration, hotKeys, accessLog int, number uint32) {
	if w.slow = slow; slow == 0 {
		w.slow = never
	}
	every := [2]uint32{uint32(hotKeys), uint32(accessLog)}
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
func (w *watch) picked(number uint32, b []byte) {
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
	s.keep(b)
	w.samples = append(w.samples, s)
}

// note keeps how a request begins.
func (w *watch) note(number uint32, b []byte) {
	if w.notes == nil {
		w.notes = make([]noted, notes)
	}
	n := &w.notes[number%notes]
	n.number = number
	n.keep(b)
}

// headOf is how a request begins, if that was kept.
func (w *watch) headOf(number uint32) []byte {
	if w.notes != nil {
		if n := &w.notes[number%notes]; n.number == number {
			return n.bytes()
		}
	}
	return nil
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

// weigh counts bytes of the reply to the first request.
func (w *watch) weigh(head uint32, n int) {
	if w.picks(head) {
		w.samples[0].reply += int64(n)
	}
}

// tell reports what is to be told of the i-th request in the FIFO, which is over: that it was slow, that it was picked. sent
// is when it was handed over, 0 if it was not. Of an orphan everything was told when it became one.
func (c *Conn) tell(i uint32, sent clock.Instant, err error) {
	if i < c.expired {
		return
	}
	e, w := c.fifo.at(i), &c.watch
	r := Record{Ticket: e.ticket, Class: e.arrived.class(), Arrived: e.arrived.at(), Sent: sent, Done: c.now, Err: err}
	number := c.fifo.head + i
	if c.now.Sub(r.Arrived) >= w.slow {
		c.counters.Inc(stats.SlowRequests)
		if w.toldAt != c.now {
			w.toldAt, w.told = c.now, 0
		}
		if w.told++; w.told <= slowAtOnce {
			r.Head = w.headOf(number)
			c.owner.Slow(c, &r)
		}
	}
	if w.picks(number) {
		s := &w.samples[0]
		r.Head, r.Request, r.Reply = s.bytes(), s.request, s.reply
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
	if c.watch.slow == never && len(c.watch.samples) == 0 {
		return
	}
	for i := range c.fifo.n {
		c.tellUnanswered(i, err)
	}
	c.watch.samples = c.watch.samples[:0]
}
