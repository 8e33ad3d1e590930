package downstream

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// bigReply is where in the client's output a large reply stands. The bound on unsent output leaves
// the reply being delivered out: one value may be as large as it likes, what piles up behind it may
// not. Small replies are within the bound's tolerance and are not tracked.
type bigReply struct {
	start, end uint64 // in bytes ever put into the output
	open       bool   // the reply is still being received
}

// bigSize is the size from which a reply is tracked.
const bigSize = 64 << 10

// noteReply is told of n bytes of a reply before they are put into the output.
func (s *Session) noteReply(n int, last bool) {
	if s.out.Len() == 0 {
		s.drained = s.desk.Now
		s.watchOutput()
	}
	start := s.appended
	s.appended += uint64(n)
	if k := len(s.big) - 1; k >= 0 && s.big[k].open {
		s.big[k].end, s.big[k].open = s.appended, !last
	} else if !last || n >= bigSize {
		s.big = append(s.big, bigReply{start, s.appended, !last})
	}
	if s.out.Len()+n > outputHigh {
		s.holdForOutput()
	}
}

// watchOutput asks to be woken when output that begins to wait has waited too long. One wake is noted at
// a time: Expire asks for the next if there is still output then.
func (s *Session) watchOutput() {
	t := s.Pool.StalledClient
	if due := s.drained.Add(t); t > 0 && (s.WakeAt == 0 || due < s.WakeAt) {
		s.desk.Owner.Wake(s, due)
	}
}

// behind is the number of bytes that the client has yet to take, the large reply being delivered
// left out.
func (s *Session) behind() int64 {
	unsent := int64(s.appended-s.sent) + s.stored
	if len(s.big) > 0 && s.big[0].start <= s.sent {
		unsent -= int64(s.big[0].end - s.sent)
	} else if s.inFlight.n > 0 && s.inFlight.at(0).group != nil {
		unsent -= s.inFlight.at(0).group.Buffered() // it is the reply being delivered, in pieces
	}
	return unsent
}

// delivered moves past n bytes of output.
func (s *Session) delivered(n int) {
	s.sent += uint64(n)
	for len(s.big) > 0 && !s.big[0].open && s.big[0].end <= s.sent {
		s.big = s.big[:copy(s.big, s.big[1:])]
	}
	if len(s.big) == 0 && cap(s.big) > 8 {
		s.big = nil
	}
}

// holdForOutput slows a client down that asks for more than it takes, and closes it when that does
// not help.
func (s *Session) holdForOutput() {
	if int64(s.out.Len())+s.stored < outputHigh {
		return
	}
	s.hold(holdOutput)
	behind, reason := s.behind(), ""
	switch {
	case s.Gone:
		return
	case behind > s.Pool.ClientOutput:
		reason = "client_output_limit reached"
	case behind > outputHigh && s.desk.full():
		s.counters.Inc(stats.MemoryRefused)
		reason = "memory_limit reached"
	default:
		return
	}
	s.counters.Inc(stats.ClientsOverflowed)
	s.desk.Owner.ClientEvent(s, Overflowed, reason)
	s.Abort()
}

// Output lends what is to be sent next, up to about limit bytes.
func (s *Session) Output(iov [][]byte, limit int) [][]byte { return s.out.Buffers(iov, limit) }

// Sent says that the first n bytes of the output are on their way.
func (s *Session) Sent(n int) {
	d := s.desk
	s.out.Consume(d.Pool, n)
	s.counters.Add(stats.ClientSentBytes, uint64(n))
	if n > 0 {
		s.drained = d.Now
	}
	s.delivered(n)
	if s.out.Len() == 0 && s.inFlight.n == 0 {
		s.inFlight.settle(&d.rings)
	}
	if s.holds&holdOutput != 0 && int64(s.out.Len())+s.stored <= outputLow {
		s.release(holdOutput)
	}
}

// Expire is called when an instant given to Wake has come. It closes a client that is stuck or idle,
// and returns when it wants to be called next, Never if it does not.
func (s *Session) Expire(now clock.Instant) clock.Instant {
	next := clock.Never
	if t := s.Pool.StalledClient; t > 0 && s.out.Len() > 0 {
		due := s.drained.Add(t)
		if due <= now {
			s.counters.Inc(stats.ClientsStalled)
			s.desk.Owner.ClientEvent(s, Stalled, "accepted no byte for client_output_timeout")
			s.Abort()
			return clock.Never
		}
		next = due
	}
	if t := s.Pool.ClientIdleTimeout; t > 0 && !s.ending {
		due := s.active.Add(t)
		if s.inFlight.n > 0 || s.out.Len() > 0 || s.Stalled() {
			due = max(due, now.Add(t)) // it waits for us, not we for it
		}
		if due <= now {
			s.counters.Inc(stats.ClientsIdle)
			s.Abort()
			return clock.Never
		}
		next = min(next, due)
	}
	return next
}
