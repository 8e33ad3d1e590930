// Package downstream is the state machine of one client connection: it parses requests, decides what
// becomes of each, and puts the answers in order.
//
//	bytes ─► parse ─► dispatch ─┬─► answered here ───────────┐
//	                            ├─► sent whole ─► ticket ──┐ │
//	                            └─► split ─► tickets ──────┤ │
//	bytes ◄─ output ◄── FIFO, in the order of requests ◄───┴─┘
//
// A Session sees tickets and answers, never server connections. Every request has one place in the
// client's FIFO from its arrival to its answer; an answer that is ready before its turn waits there.
// Everything is loop-confined: the worker's engine owns each Session, and they share one Desk.
package downstream

import (
	"net/netip"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/fragment"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Owner is what a session asks of the engine. None of the calls comes back to the session, except
// that Send may find that the client has to be slowed and call Hold.
type Owner interface {
	// Send gives a whole request to a server of the pool. If owned, b is a pool buffer that is taken,
	// whatever the result, except message.ErrVerdict: then nothing has happened, and the session is to stop
	// until GoOn.
	Send(s *Session, server int, t message.Ticket, b []byte, owned bool) error
	// Judged says that Send to the server would return message.ErrVerdict; if so, GoOn will be called.
	Judged(s *Session, server int) bool
	// Enter books a place in a kind of lane of the session's pool and returns the number of that, or false if there are
	// too many. Leave gives it back.
	Enter(s *Session, kind message.Lane) (number uint16, ok bool)
	Leave(s *Session, number uint16)
	// LacksRESP3 says that a server of the pool is known not to speak it.
	LacksRESP3(p *topology.Pool) bool
	// Awaken has GoOn called, soon.
	Awaken(s *Session)
	// AnyServer is a server for a request that any can answer, negative if there is none.
	AnyServer(s *Session) int
	// Writable puts the session on the list of those with output or an end to meet.
	Writable(s *Session)
	// Interest says whether to read from the client.
	Interest(s *Session, read bool)
	// Wake asks for a call of Expire.
	Wake(s *Session, at clock.Instant)
	// Peer is where the client comes from; not valid for a unix socket.
	Peer(s *Session) netip.AddrPort
	// Look is what all workers know of the session's pool. If it reports false, the others have yet to answer, and the
	// session is to stop until GoOn.
	Look(s *Session, q Question) (v View, ok bool)
	// Kill cuts off the pool's clients of these numbers, wherever they are.
	Kill(p *topology.Pool, numbers []uint64)
	// Ejections are those of the pool's servers.
	Ejections(p *topology.Pool) []*stats.Ejections
	// Pause has SetPause called for all clients of the session's pool, and GoOn for those that may go on, then or when
	// the pause is over. If it reports false, the others' clients have yet to be told, and the session is to stop until
	// GoOn, and then to ask again.
	Pause(s *Session, mode Pause, until clock.Instant) bool
	// ClientEvent reports what an operator should know of.
	ClientEvent(s *Session, e Event, reason string)
}

// Event is something in a client's life that is worth a line in the log.
type Event uint8

// The events.
const (
	ProtocolError Event = iota
	Stalled
	Overflowed
	Refused
)

// Desk is what the sessions of one worker share.
type Desk struct {
	Owner  Owner
	Pool   *bytebuf.Pool
	Router *route.Router
	Now    clock.Instant // of the current call
	// Started is when the engine was.
	Started clock.Instant
	// Process is what clients are told of the process.
	Process topology.Process
	// MemoryLimit bounds what the buffers of all workers hold; 0 is no bound. Elsewhere is what those of the others do.
	MemoryLimit, Elsewhere int64
	// ClientLimit bounds the clients of all pools; 0 is no bound.
	ClientLimit int
	// Held says that some client is not read from because of memory. The engine clears it.
	Held bool

	splitter  fragment.Splitter
	redis     resp.RequestParser // for requests that come whole
	memcached memcached.RequestParser
	partials  []*partial // free list
	servers   []int32    // scratch of split
	keys      []int      // scratch of same-server commands
	scratch   []byte     // scratch of local replies
	key       []byte     // scratch of keys in base64
	rings     rings
	inline    resp.RequestParser // for what inline commands stand for
	line      []byte             // scratch of the same
	view      View               // what the command being answered has asked for: see learn
}

// hold is a reason not to read from a client.
type hold uint8

const (
	holdOutput   hold = 1 << iota // its unsent replies pass a high-water mark
	holdRequests                  // it has too many requests unanswered
	holdServer                    // a server it sends to has a long queue
	holdMemory                    // the worker buffers too much
	holdVerdict                   // a server it sends to has just failed, or the pool is paused: see stall
	holdLane                      // it changes its lane when the servers are done with all that it has asked
	holdGoOn                      // what was kept while it had stopped is looked at first: see GoOn
	holdEnd                       // nothing more is wanted from it
)

// High-water marks, and what must be reached again before reading goes on.
const (
	outputHigh   = 1 << 20
	outputLow    = 256 << 10
	requestsHigh = 4096
	requestsLow  = 1024
)

// Session is one client connection.
type Session struct {
	ID    message.ConnID
	Dirty bool // the engine's: it is on its list
	Gone  bool // the engine is to close the connection

	// Bound is the engine's: one more than the number of the worker to which the client is to go, or 0.
	Bound int
	// Turn numbers the pool's clients as they come; the engine ties the client to one of several
	// connections of a server by it.
	Turn uint32
	// Number is the client's among all that the process has ever had.
	Number uint64
	// LaneNumber is the pool's number for the lane on which the client's requests travel.
	LaneNumber uint16

	Pool     *topology.Pool
	dialect  dialect
	desk     *Desk
	counters *stats.Block

	// Class is what the request being dispatched counts as.
	Class stats.Class
	// Key is what is known of its keys.
	Key message.Key

	holds    hold
	plain    bool // forward may serve it: see setPlain
	authed   bool
	replies  replies
	pause    Pause
	noEvict  bool         // it has asked for it; nobody is evicted
	noTouch  bool         // it has asked for it; the servers are not told
	name     string       // that it has given itself
	again    bool         // it has stopped before a request, not behind one
	lane     message.Lane // its database and protocol
	next     message.Lane // those that it is to have
	nextLane uint16       // the number of that lane
	ending   bool         // no request is read any more; closed once all is answered and sent
	cut      bool         // the last reply ends in its midst: see Fail
	draining bool         // it is to end when it has gone on: see Drain
	left     bool         // it was the client that ended it
	direct   directRead
	inFlight fifo
	// outstanding are requests and fragments that a server connection has taken and is not done with: those that
	// have no answer yet, and orphans. strayed says that there may be some of these.
	outstanding uint32
	strayed     bool
	out         bytebuf.Queue
	partial     *partial // a request that has not come whole

	stored  int64         // bytes of replies that wait for their turn
	since   clock.Instant // when the client came
	active  clock.Instant // when the client last sent something
	drained clock.Instant // when it last accepted something, or output began to wait
	big     []bigReply
	skip    int64 // bytes that the client will send and nobody wants: the data of a refused request
	// Bytes ever put into the output, and sent of it.
	appended, sent uint64

	libraryName, libraryVersion string // what it says that it uses

	// WakeAt is the engine's: the instant for which Wake has been noted, 0 for none.
	WakeAt clock.Instant
}

// directRead is where the last Space pointed.
type directRead uint8

const (
	toScratch directRead = iota
	toPartial            // a large request's buffer
)

// partial is a request that has not come whole: its bytes in a pool buffer, and how far they were
// parsed.
type partial struct {
	buf       []byte
	redis     resp.RequestParser // one of the two is in use
	memcached memcached.RequestParser
	charged   int64 // bytes of the parsers' arguments that are counted as in use
}

// Open starts a session for a client that was just accepted. With a refusal, which is for the log, the
// client is told that there are too many, and closed.
func (s *Session) Open(d *Desk, id message.ConnID, pool *topology.Pool, counters *stats.Block, refusal string) {
	queue, ring := s.out, s.inFlight
	*s = Session{ID: id, Pool: pool, dialect: dialectOf(pool), desk: d, counters: counters, out: queue, inFlight: ring}
	s.since, s.active, s.drained = d.Now, d.Now, d.Now
	s.setAuthed(pool.Auth == "")
	s.lane = message.Lane{Database: pool.Database}
	counters.Inc(stats.ClientsAccepted)
	if refusal != "" {
		counters.Inc(stats.ClientsRefused)
		d.Owner.ClientEvent(s, Refused, refusal)
		s.answerLocally(append(d.scratch[:0], s.dialect.full()...))
		s.end()
		return
	}
	if pool.ClientIdleTimeout > 0 {
		d.Owner.Wake(s, d.Now.Add(pool.ClientIdleTimeout))
	}
}

// Release gives back all that the session holds; its connection is gone.
func (s *Session) Release() {
	d := s.desk
	for i := range s.inFlight.n {
		s.drop(s.inFlight.at(i))
	}
	s.inFlight.reset(&d.rings)
	s.out.Clear(d.Pool)
	d.Owner.Leave(s, s.LaneNumber)
	if s.holds&holdLane != 0 {
		d.Owner.Leave(s, s.nextLane)
	}
	if s.partial != nil {
		d.putPartial(s.partial)
		s.partial = nil
	}
	s.note(&s.name, "")
	s.note(&s.libraryName, "")
	s.note(&s.libraryVersion, "")
	s.counters.Inc(stats.ClientsClosed)
	if s.left {
		s.counters.Inc(stats.ClientEOFs)
	}
	s.ID = 0
}

// Held is the number of bytes that the session keeps in buffers.
func (s *Session) Held() int64 {
	n := int64(s.out.Len()) + s.stored
	if s.partial != nil {
		n += int64(len(s.partial.buf))
	}
	return n
}

// Unanswered is the number of requests without an answer.
func (s *Session) Unanswered() int { return int(s.inFlight.n) }

// end stops reading; the connection is closed when all that was asked is answered and sent.
func (s *Session) end() {
	s.ending = true
	s.hold(holdEnd)
	s.desk.Owner.Writable(s)
}

// leave ends the session because the client wants it.
func (s *Session) leave() {
	if !s.ending {
		s.left = true
	}
	s.end()
}

// Leaves says that the client has nothing to get any more, because it has ended the session itself, or is cut off.
func (s *Session) Leaves() bool { return s.left || s.Gone }

// Drain ends the session as if the client had stopped sending: what it asked is answered, and so is what was kept
// because the session has stalled.
func (s *Session) Drain() {
	switch {
	case s.ending:
	case s.Stalled():
		s.draining = true
	default:
		s.end()
	}
}

// EndRESP3 ends the session if it is in RESP3, or will be, like Drain.
func (s *Session) EndRESP3() {
	if s.lane.RESP3 || s.holds&holdLane != 0 && s.next.RESP3 {
		s.Drain()
	}
}

// Abort closes the connection whatever is in flight.
func (s *Session) Abort() {
	s.Gone = true
	s.ending = true
	s.desk.Owner.Writable(s)
}

// Finished says that the connection can be closed: aborted, or ended with everything delivered, up to where a reply was
// cut off.
func (s *Session) Finished() bool {
	return s.Gone || s.ending && (s.cut || s.inFlight.n == 0) && s.out.Len() == 0
}

// Lost says that the client will send nothing more: nil when it closed its side, after which it still
// gets what it asked for. Otherwise the connection is gone.
func (s *Session) Lost(err error) {
	if err != nil {
		s.counters.Inc(stats.ClientErrors)
		s.Abort()
		return
	}
	if s.partial != nil {
		s.desk.putPartial(s.partial)
		s.partial = nil
	}
	s.leave()
}

// hold stops reading for a reason, release goes on when no reason is left.
func (s *Session) hold(h hold) {
	if s.holds == 0 {
		s.desk.Owner.Interest(s, false)
		if h != holdEnd {
			s.counters.Inc(stats.ReadPauses)
		}
	}
	s.holds |= h
}

func (s *Session) release(h hold) {
	if s.holds&h == 0 {
		return
	}
	s.holds &^= h
	if s.holds == 0 {
		s.active = s.desk.Now
		s.desk.Owner.Interest(s, true)
	}
}

// stall stops the session at a request: whether the request's server stays is being decided, or its pool is
// paused. What the client has sent, from that request on, is kept and looked at again by GoOn.
func (s *Session) stall() {
	s.again = true
	s.hold(holdVerdict)
}

// changeLane has what follows travel on another lane, once no server connection has anything of the client's any
// more: two lanes are two connections, and a request must not overtake the one before it. That everything is answered
// is not enough, as a request that was answered by an error may still be on its way to its server. It reports false, and
// has done nothing, if the pool has too many lanes already.
func (s *Session) changeLane(to message.Lane) bool {
	if to == s.lane {
		return true
	}
	number, ok := s.desk.Owner.Enter(s, to)
	if !ok {
		s.counters.Inc(stats.RefusedCommands)
		return false
	}
	s.next, s.nextLane = to, number
	if s.outstanding == 0 {
		s.setLane()
	} else {
		s.hold(holdLane)
	}
	return true
}

func (s *Session) setLane() {
	s.desk.Owner.Leave(s, s.LaneNumber)
	s.lane, s.LaneNumber = s.next, s.nextLane
}

// Renewed says that the session's pool has other settings, or servers. If requests travel on connections that the
// pool has no more, what follows waits for their answers: it must not overtake them on a new one.
func (s *Session) Renewed(behind bool) {
	if t := s.Pool.ClientIdleTimeout; t > 0 {
		s.desk.Owner.Wake(s, s.active.Add(t))
	}
	if s.out.Len() > 0 {
		s.watchOutput()
	}
	if behind && s.outstanding > 0 && s.holds&holdLane == 0 {
		s.next = s.lane
		s.nextLane, _ = s.desk.Owner.Enter(s, s.lane) // there is such a lane, as the session is in it
		s.hold(holdLane)
	}
}

// tooManyLanes refuses a change of lane.
const tooManyLanes = "-ERR clients of the proxy use too many databases at once\r\n"

// Sending counts a request or fragment that a server connection has taken.
func (s *Session) Sending() { s.outstanding++ }

// Over says that server connections are done with n of those.
func (s *Session) Over(n uint32) {
	s.outstanding -= n
	if s.outstanding == 0 && (s.strayed || s.holds&holdLane != 0) {
		s.rest()
	}
}

// Outstanding is how many there are.
func (s *Session) Outstanding() uint32 { return s.outstanding }

// rest takes up what had to wait until nothing of the client's is on its way any more.
func (s *Session) rest() {
	if s.strayed {
		s.strayed = false
		s.advance()
	}
	if s.holds&holdLane != 0 {
		s.desk.Owner.Awaken(s)
	}
}

// count counts a request that is about to be dispatched; uncount takes that back.
func (s *Session) count(c stats.Class) {
	s.Class = c
	s.counters.Inc(stats.Requests)
	s.counters.Inc(stats.OtherRequests + stats.Counter(c))
}

func (s *Session) uncount() {
	s.counters.Undo(stats.Requests)
	s.counters.Undo(stats.OtherRequests + stats.Counter(s.Class))
}

// Stalled says that the session looks at no request until GoOn.
func (s *Session) Stalled() bool { return s.holds&(holdVerdict|holdLane) != 0 }

// kept is what a session that has stalled at a request of n bytes at the front of b is to keep.
func (s *Session) kept(b []byte, n int) []byte {
	if s.again {
		s.again = false
		return b
	}
	return b[n:]
}

// GoOn takes up the requests at which the session has stopped, unless it has to wait still.
func (s *Session) GoOn() {
	if !s.Stalled() || s.holds&holdLane != 0 && s.outstanding > 0 {
		return
	}
	if s.holds&holdLane != 0 {
		s.setLane()
	}
	s.holds = s.holds&^(holdVerdict|holdLane) | holdGoOn
	p := s.partial
	s.partial = nil
	if p != nil && !s.ending {
		if rest := s.dialect.requests(s, p.buf); len(rest) > 0 {
			s.keepAnyway(rest) // it was kept already
		}
	}
	if p != nil {
		s.desk.putPartial(p)
	}
	if s.Stalled() {
		s.holds &^= holdGoOn
		return
	}
	if s.draining && !s.ending {
		s.end()
	}
	s.release(holdGoOn)
	s.afterRead()
}

// HoldForServer stops reading until ServerDrained: a server's queue is long.
func (s *Session) HoldForServer() { s.hold(holdServer) }

// HeldForServer says that HoldForServer is in force.
func (s *Session) HeldForServer() bool { return s.holds&holdServer != 0 }

// ServerDrained ends HoldForServer.
func (s *Session) ServerDrained() { s.release(holdServer) }

// MemoryFreed lets a client be read again that was held because of memory.
func (s *Session) MemoryFreed() { s.release(holdMemory) }
