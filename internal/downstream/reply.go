package downstream

import (
	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/fragment"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// answerLocally gives a whole answer to the request that was just read, in its turn. reply may be
// the desk's scratch.
func (s *Session) answerLocally(reply []byte) {
	s.desk.keepScratch(reply)
	if s.muted() {
		return
	}
	if s.inFlight.n == 0 {
		s.noteReply(len(reply), true)
		s.output(reply)
		return
	}
	s.stored += int64(len(reply))
	s.inFlight.push(&s.desk.rings, entry{state: answered, body: append(s.desk.Pool.Get(len(reply)), reply...)})
}

// answerBehindAll gives an answer that says that the servers are done with all that was asked before.
func (s *Session) answerBehindAll(reply string) {
	if s.inFlight.n == 0 && !s.strayed {
		s.answerLocally(append(s.desk.scratch[:0], reply...))
		return
	}
	s.stored += int64(len(reply))
	s.inFlight.push(&s.desk.rings, entry{state: barrier, body: append(s.desk.Pool.Get(len(reply)), reply...)})
}

// output appends to the client's output and sees to it that it is sent.
func (s *Session) output(b []byte) {
	s.out.Append(s.desk.Pool, b)
	if !s.Dirty {
		s.desk.Owner.Writable(s)
	}
}

// Reply takes bytes of the answer to a request or fragment; last says that it ends with them. What
// belongs to a request that has been answered otherwise is dropped.
func (s *Session) Reply(t message.Ticket, b []byte, last bool) {
	e := s.inFlight.find(t.Sequence)
	switch {
	case e == nil || e.state == answered:
		return
	case e.group != nil:
		s.replyFragment(e, t, b, last)
		return
	case e.hush == echoing:
		s.drop(e)
		e.hush = heard
		s.Reply(t, b, last)
		return
	case e.hush != heard:
		s.replyHushed(e, t, b, last)
		return
	case t.Sequence != s.inFlight.head:
		s.replyLater(e, b, last)
		return
	}
	// Fast path: it is this request's turn.
	s.noteReply(len(b), last)
	s.output(b)
	if !last {
		e.state = begun
		return
	}
	s.inFlight.pop()
	if s.inFlight.n > 0 || s.holds != 0 || s.ending {
		s.advance()
	}
}

// Replies takes whole answers to count consecutive requests, the first of which has ticket t. It
// reports false, and has taken none, if one of them is not simply awaited.
func (s *Session) Replies(t message.Ticket, b []byte, count uint32) bool {
	for i := range count {
		if e := s.inFlight.find(t.Sequence + i); e == nil || e.state != waiting || e.group != nil || e.body != nil || e.hush != heard {
			return false
		}
	}
	if t.Sequence != s.inFlight.head {
		// The first entry's body has the answers of all.
		s.inFlight.find(t.Sequence).body = append(s.desk.Pool.Get(len(b)), b...)
		for i := range count {
			s.inFlight.find(t.Sequence + i).state = answered
		}
		s.stored += int64(len(b))
		s.holdForOutput()
		return true
	}
	s.noteReply(len(b), true)
	s.output(b)
	if s.Pool.Protocol == topology.Memcached { // some may know their command; those that come after them in the ring are others
		for i := range count {
			s.inFlight.at(i).op = memcached.Unknown
		}
	}
	s.inFlight.head += count
	s.inFlight.n -= count
	if s.inFlight.n > 0 || s.holds != 0 || s.ending {
		s.advance()
	}
	return true
}

// replyLater stores an answer that comes before its turn.
func (s *Session) replyLater(e *entry, b []byte, last bool) {
	if cap(e.body)-len(e.body) < len(b) {
		e.body = s.desk.Pool.Grow(e.body, max(len(b), len(e.body)))
	}
	e.body = append(e.body, b...)
	s.stored += int64(len(b))
	if last {
		e.state = answered
	}
	s.holdForOutput()
}

// replyHushed takes the answer to a request whose client may not want to see it.
func (s *Session) replyHushed(e *entry, t message.Ticket, b []byte, last bool) {
	if e.hush == unsure {
		s.replyLater(e, b, last)
		if len(e.body) < statusSize {
			return
		}
		s.decide(e)
	} else if last {
		e.state = answered
	}
	if t.Sequence == s.inFlight.head {
		s.advance()
	}
}

// statusSize is how many bytes of an answer tell what it is.
const statusSize = 2

// decide is called when enough of an answer has come to know whether the client wants to see it.
func (s *Session) decide(e *entry) {
	if e.op.Hushes(e.body) {
		e.hush = hidden
		s.drop(e)
		return
	}
	e.hush = heard
}

// replyFragment gives a fragment's reply to its group, and answers when the group can.
func (s *Session) replyFragment(e *entry, t message.Ticket, b []byte, last bool) {
	s.stored += int64(len(b))
	s.settle(e, t, e.group.Reply(s.desk.Pool, int(t.Fragment), b, last))
}

// settle answers a split request when its group can.
func (s *Session) settle(e *entry, t message.Ticket, o fragment.Outcome) {
	d := s.desk
	switch o {
	case fragment.Waiting:
		s.holdForOutput()
	case fragment.Failed:
		s.strayed = s.outstanding > 0
		reply := e.group.Refusal(int(t.Fragment))
		if reply == nil {
			reply = s.dialect.appendError(d.scratch[:0], message.ErrReply)
		} else {
			reply = append(d.scratch[:0], reply...)
		}
		d.keepScratch(reply)
		s.counters.Inc(stats.ForwardErrors)
		s.answer(e, t, reply)
	case fragment.Complete:
		g := e.group
		e.group = nil
		e.body = g.Coalesce(d.Pool)
		s.stored += int64(len(e.body)) - g.Buffered()
		d.splitter.Put(d.Pool, g)
		e.state = answered
		switch e.hush {
		case unsure:
			s.decide(e)
		case hidden:
			s.drop(e)
		}
		s.advance()
	}
}

// Fail answers a request or fragment that gets no reply with an error.
func (s *Session) Fail(t message.Ticket, err error) {
	e := s.inFlight.find(t.Sequence)
	if e == nil || e.state == answered {
		return
	}
	s.strayed = s.outstanding > 0
	s.counters.Inc(stats.ForwardErrors)
	if err == message.ErrQueueFull {
		s.counters.Inc(stats.QueueFull)
	}
	if e.state == begun { // part of the reply has left: nothing that follows could be understood
		s.cut = true
		s.end()
		return
	}
	d := s.desk
	if s.Pool.MissOnFailure && s.failAsMiss(e, t) {
		return
	}
	reply := s.dialect.appendError(d.scratch[:0], err)
	d.keepScratch(reply)
	s.answer(e, t, reply)
}

// failAsMiss answers a request for values whose server has failed as if it had none. It reports false
// for other requests.
func (s *Session) failAsMiss(e *entry, t message.Ticket) bool {
	if g := e.group; g != nil {
		s.stored -= g.Buffered()
		o, ok := g.Miss(s.desk.Pool, int(t.Fragment))
		s.stored += g.Buffered()
		if ok {
			s.settle(e, t, o)
		}
		return ok
	}
	miss := e.op.Miss()
	if miss == "" {
		return false
	}
	reply := append(s.desk.scratch[:0], miss...)
	if e.hush == echoing {
		reply = append(reply[:0], e.body...)
		e.hush = heard
	}
	s.desk.keepScratch(reply)
	s.answer(e, t, reply)
	return true
}

// keepScratch keeps the buffer of a local reply for the next one, unless it has become large.
func (d *Desk) keepScratch(b []byte) {
	if cap(b) <= 1<<12 {
		d.scratch = b[:0]
	}
}

// answer puts a whole answer in the place of whatever the entry waited for.
func (s *Session) answer(e *entry, t message.Ticket, reply []byte) {
	s.drop(e)
	e.state = answered
	e.body = append(s.desk.Pool.Get(len(reply)), reply...)
	s.stored += int64(len(reply))
	if e.hush != heard { // what was hidden of an answer that did not come whole counts for nothing
		s.decide(e)
	}
	if t.Sequence == s.inFlight.head {
		s.advance()
	}
}

// drop gives back what an entry holds.
func (s *Session) drop(e *entry) {
	d := s.desk
	if e.body != nil {
		s.stored -= int64(len(e.body))
		d.Pool.Put(e.body)
		e.body = nil
	}
	if e.group != nil {
		s.stored -= e.group.Buffered()
		d.splitter.Put(d.Pool, e.group)
		e.group = nil
	}
}

// advance delivers every answer whose turn has come.
func (s *Session) advance() {
	d := s.desk
	for s.inFlight.n > 0 {
		e := s.inFlight.at(0)
		if e.state == barrier && !s.strayed {
			e.state = answered
		}
		if e.state == barrier {
			break
		}
		if e.body != nil && e.hush == heard {
			s.deliver(e)
		}
		if e.state != answered {
			break
		}
		s.inFlight.pop()
	}
	if s.holds&holdRequests != 0 && s.inFlight.n <= requestsLow {
		s.release(holdRequests)
	}
	if s.ending && !s.Dirty {
		d.Owner.Writable(s)
	}
}

// deliver moves what has come of the first entry's answer to the output; large buffers change hands.
func (s *Session) deliver(e *entry) {
	d, b := s.desk, e.body
	e.body = nil
	s.stored -= int64(len(b))
	s.noteReply(len(b), e.state == answered)
	if len(b) >= bytebuf.MapSize/2 {
		s.out.Take(d.Pool, b)
	} else {
		s.out.Append(d.Pool, b)
		d.Pool.Put(b)
	}
	if e.state == waiting {
		e.state = begun
	}
	if !s.Dirty {
		d.Owner.Writable(s)
	}
}

// Room lends memory for bytes of an answer at the end of the client's output, nil when they must be
// looked at or wait.
func (s *Session) Room(t message.Ticket, want int) []byte {
	e := s.inFlight.find(t.Sequence)
	if e == nil || e.state == answered || e.group != nil || e.hush != heard || t.Sequence != s.inFlight.head {
		return nil
	}
	return s.out.Reserve(s.desk.Pool, want)
}

// Filled says how much was read into what Room lent.
func (s *Session) Filled(_ message.Ticket, n int, last bool) {
	s.noteReply(n, last)
	s.out.Commit(s.desk.Pool, n)
	if !s.Dirty {
		s.desk.Owner.Writable(s)
	}
	if last {
		s.inFlight.pop()
		s.advance()
	} else {
		s.inFlight.at(0).state = begun
	}
}
