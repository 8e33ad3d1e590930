// Package upstream is the state machine of one server connection: dial, handshake, queue, pair
// replies with requests, time out, fail, back off.
//
//	          Send                Connected            handshake answered
//	Closed ─────────► Dialing ─────────────► Greeting ───────────────────► Ready
//	   ▲                 │                      │                            │
//	   └─────────────────┴──────────────────────┴────────────────────────────┘
//	         Lost, a timeout, a bad reply: everything in the FIFO fails
//
// A Conn sees tickets, never clients. Requests that came while it was not Ready wait in its output.
// One FIFO pairs replies with requests; what comes without a request, or is no reply, poisons the
// connection. Everything is loop-confined: the worker's engine owns each Conn.
package upstream

import (
	"cmp"
	"time"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Owner is what a connection asks of the engine. Reply and Fail may lead to new requests on this
// same connection; the other calls never come back.
type Owner interface {
	// Reply hands over bytes of a reply, borrowed; last says that it ends with them.
	Reply(t message.Ticket, b []byte, last bool)
	// Replies hands over the replies to count consecutive requests of one client, the first of which
	// has ticket t. It reports false, and has taken none, if they have to be handed over one by one.
	Replies(t message.Ticket, b []byte, count uint32) bool
	// Room returns memory for the next want bytes of a reply, so that they need no copying, or nil
	// when they are to be read elsewhere. Filled says how much was read into it.
	Room(t message.Ticket, want int) []byte
	Filled(t message.Ticket, n int, last bool)
	// Fail says that there will be no reply.
	Fail(t message.Ticket, err error)
	// Late fails a request whose reply may still come. Over says that it has, or never will.
	Late(t message.Ticket)
	Over(t message.Ticket)

	// MayDial says why there may be no more connections like this one; nil if there may.
	MayDial(c *Conn) error
	Dial(c *Conn) message.ConnID
	Hangup(c *Conn)
	Writable(c *Conn)
	Wake(c *Conn, at clock.Instant)
	// ServerEvent reports what an operator should know of.
	ServerEvent(c *Conn, e Event, err error)

	// Failed and Recovered are for whoever ejects servers: a failure that counts, and the first good reply
	// after one, on whichever of its connections: so the owner calls Doubt and Trust of all. After Failed of a
	// closed connection Verdict is called, or VerdictWithin passes; Settled tells that requests may be tried again.
	Failed(c *Conn, f Failure)
	Recovered(c *Conn)
	Settled(c *Conn)
	// Slow tells of a request that took longer than the pool wants, Sampled of one that was picked. The record is
	// borrowed, and its client may have gone.
	Slow(c *Conn, r *Record)
	Sampled(c *Conn, r *Record, why Sample)
	// Big tells of a request, or of the reply to one, that is as long as the pool calls big.
	Big(c *Conn, r *Record)
	// Peek finds the command and the first key of a whole request.
	Peek(c *Conn, b []byte) (name, key []byte)
	// LacksRESP3 says that the server has refused the protocol of the connection's lane. It reports whether that was
	// known. HungUp asks whether a server that has closed the connection at HELLO refuses the protocol by that.
	LacksRESP3(c *Conn) (known bool)
	HungUp(c *Conn) bool
}

// Event is a change in a server connection's life.
type Event uint8

// The events.
const (
	Connected Event = iota
	ConnectFailed
	ConnectionLost
)

type state uint8

const (
	closed   state = iota
	dialing        // the host is connecting
	greeting       // AUTH and SELECT are sent, their replies awaited
	ready
)

// A connection that cannot be made is tried again after a pause that grows up to retryMax; requests
// that come in the meantime fail at once with the reason.
const (
	retryMin = 5 * time.Millisecond
	retryMax = 250 * time.Millisecond
)

// directRead is how much of a bulk string must be missing for it to be read past the shared buffer.
const directRead = 32 << 10

// Conn is one connection to a server. It outlives its sockets.
type Conn struct {
	ID     message.ConnID // of the present socket; 0 while closed
	Server *topology.Server
	Dirty  bool // the engine's: has output and is on its list
	// Lasting connections are kept open where the pool wants that; others are opened for requests.
	Lasting bool

	// WakeAt is the engine's: the instant for which Wake has been noted, 0 for none.
	WakeAt clock.Instant

	// Waiters are the clients that are not read from until the queue has drained.
	Waiters []message.ConnID

	owner    Owner
	pool     *bytebuf.Pool
	set      *topology.Settings
	lane     message.Lane
	counters *stats.Block

	state     state
	direct    bool   // the last Space lent a client's memory
	greetLeft int    // replies of the handshake still to come
	greetTail int    // bytes of its last command if that is SELECT: AUTH may be answered before it is sent
	refusal   []byte // the reply to the handshake being received
	failures  uint
	// shortLives counts the sockets in a row that did not live for a second.
	shortLives uint

	now     clock.Instant // of the current call
	heard   clock.Instant // when the server last sent something
	dialed  clock.Instant
	retryAt clock.Instant
	lastErr error

	verdict  clock.Instant // until when requests wait for what becomes of a server that has failed; 0 is no wait
	troubled bool          // the server has failed, and no good reply came since
	choice   bool          // the handshake is refused because of what a client has chosen
	lacks    bool          // the last handshake was refused because the server does not speak RESP3: it is not kept open then
	quiet    bool          // the connection was made to ask whether the server speaks RESP3, and it still does not
	misread  misreading    // recognises the reply of a server that took data for commands
	complain complaint     // recognises replies by which the server says that it cannot serve

	out      bytebuf.Queue // requests not sent yet
	room     int64         // bytes from which out takes no more: the limit, 0 if the server is or may be ejected
	greet    bytebuf.Queue // the handshake, sent before them
	queuedTo uint64        // bytes ever put into out on this socket
	sentTo   uint64        // bytes of them that were sent
	doneTo   uint64        // bytes of them whose requests have left the FIFO
	large    int64         // bytes of large requests in out, at most
	largeEnd uint64        // queuedTo behind the last of them

	marks   marks
	watch   watch
	fifo    fifo
	spare   []entry // a second ring, in use while the first is being failed
	expired uint32  // entries at the front that have timed out: orphans all
	joins   joins
	merge   merges
	parser  replyParser
}

// New returns a closed connection of a lane.
func New(owner Owner, pool *bytebuf.Pool, server *topology.Server, set *topology.Settings, lane message.Lane, counters *stats.Block) *Conn {
	c := &Conn{owner: owner, pool: pool, lane: lane, counters: counters}
	c.Apply(server, set)
	return c
}

// Open dials if the connection is closed and may be tried. It returns why it may not.
func (c *Conn) Open(now clock.Instant) error {
	if c.state != closed {
		return nil
	}
	switch {
	case c.Server.Ejected:
		return message.ErrNoServer
	case now < c.retryAt:
		return c.lastErr
	}
	if err := c.owner.MayDial(c); err != nil {
		return err
	}
	c.state, c.dialed, c.lacks = dialing, now, false
	c.counters.Inc(stats.ServerDials)
	c.ID = c.owner.Dial(c)
	if c.set.ConnectTimeout > 0 {
		c.owner.Wake(c, now.Add(c.set.ConnectTimeout))
	}
	return nil
}

// Send queues a whole request. If owned, b is a pool buffer that the connection takes, whatever the
// result; otherwise it is borrowed. An error means that the request was not queued. With ErrVerdict
// nothing has happened, and b is still the caller's.
func (c *Conn) Send(now clock.Instant, t message.Ticket, class stats.Class, b []byte, owned bool, key message.Key) error {
	if c.state != ready || int64(c.out.Len()) >= c.room {
		if err := c.mayQueue(now); err != nil {
			if owned && err != message.ErrVerdict {
				c.pool.Put(b)
			}
			return err
		}
	}
	if c.set.JoinReads && c.join(t, b, key) {
		if owned {
			c.pool.Put(b)
		}
		return nil
	}
	number := c.fifo.head + c.fifo.n
	if c.watch.noting && c.fifo.n < notes {
		c.note(number, b, key.End)
	}
	if number == c.watch.pick {
		c.picked(number, b, key.End)
	}
	size := len(b)
	if int64(size) >= c.watch.big {
		c.bigRequest(t, b)
	}
	switch {
	case key.Mergeable:
		size = c.queueGet(b, key)
	case owned && size >= bytebuf.MapSize/2:
		c.out.Take(c.pool, b)
		c.large += int64(size)
		c.largeEnd = c.queuedTo + uint64(size)
		owned = false
	default:
		c.out.Append(c.pool, b)
	}
	if owned {
		c.pool.Put(b)
	}
	c.queuedTo += uint64(size)
	c.counters.Inc(stats.ServerRequests)
	c.counters.Inc(stats.OtherServerRequests + stats.Counter(class))
	c.counters.Add(stats.ServerRequestBytes, uint64(size))
	if c.fifo.n == 0 && c.set.Timeout > 0 {
		c.owner.Wake(c, now.Add(c.set.Timeout))
	}
	c.fifo.push(entry{t, newArrival(now, class), c.queuedTo})
	if c.state == ready && !c.Dirty {
		c.owner.Writable(c)
	}
	return nil
}

// mayQueue opens the connection where it is closed, and says why a request cannot be queued.
func (c *Conn) mayQueue(now clock.Instant) error {
	if c.Server.Ejected {
		return message.ErrNoServer
	}
	if c.verdict > now {
		return message.ErrVerdict
	}
	if err := c.Open(now); err != nil {
		return err
	}
	if int64(c.out.Len())-c.largeQueued() >= c.set.ServerQueue {
		return message.ErrQueueFull
	}
	return nil
}

// largeQueued is the number of queued bytes that belong to large requests, at most. They are bounded by their
// clients, one each, and by the memory limit; while one is on its way small requests queue behind it
// and must not be refused for its size.
func (c *Conn) largeQueued() int64 {
	if c.sentTo >= c.largeEnd {
		c.large = 0
		return 0
	}
	return min(c.large, int64(c.largeEnd-c.sentTo))
}

// Lane is what the connection is for.
func (c *Conn) Lane() message.Lane { return c.lane }

// Protocol is what the server speaks.
func (c *Conn) Protocol() topology.Protocol { return c.set.Protocol }

// Ready says that requests travel at once.
func (c *Conn) Ready() bool { return c.state == ready }

// Queued is the number of bytes that wait to be sent.
func (c *Conn) Queued() int { return c.out.Len() }

// Waiting is the number of requests without a reply.
func (c *Conn) Waiting() int { return int(c.fifo.n) }

// EachTicket calls f for each of those, and for those that have joined them.
func (c *Conn) EachTicket(f func(message.Ticket)) {
	for i := range c.fifo.n {
		c.holders(c.fifo.at(i).ticket, f)
	}
}

// Connected is the host's answer to Dial.
func (c *Conn) Connected(now clock.Instant, err error) {
	c.now = now
	if c.state != dialing {
		return
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.state, c.heard = ready, now
	if c.greetLeft = c.appendGreeting(); c.greetLeft > 0 {
		c.state = greeting
	} else {
		c.becomeReady()
	}
	c.owner.Writable(c)
}

// appendGreeting queues HELLO or AUTH, and SELECT, in this order, and returns how many replies they will have.
func (c *Conn) appendGreeting() (replies int) {
	c.greetTail = 0
	if c.set.Protocol == topology.Memcached {
		return 0
	}
	if words := c.introduction(); words != nil {
		c.greet.Append(c.pool, appendCommand(nil, words...))
		replies++
	}
	if c.lane.Database != 0 {
		choice := appendCommand(nil, "SELECT", itoa(c.lane.Database))
		c.greet.Append(c.pool, choice)
		c.greetTail = len(choice)
		replies++
	}
	return replies
}

// introduction is the command that chooses the protocol and tells who connects; nil if neither is needed.
func (c *Conn) introduction() []string {
	auth := c.set.Auth != ""
	switch {
	case c.lane.RESP3 && auth:
		return []string{"HELLO", "3", "AUTH", cmp.Or(c.set.User, "default"), c.set.Auth}
	case c.lane.RESP3:
		return []string{"HELLO", "3"}
	case auth && c.set.User != "":
		return []string{"AUTH", c.set.User, c.set.Auth}
	case auth:
		return []string{"AUTH", c.set.Auth}
	}
	return nil
}

func (c *Conn) becomeReady() {
	c.state, c.failures = ready, 0
	c.counters.Inc(stats.ServerConnects)
	c.owner.ServerEvent(c, Connected, nil)
}

// Output lends what is to be sent next, up to about limit bytes.
func (c *Conn) Output(iov [][]byte, limit int) [][]byte {
	switch c.state {
	case greeting:
		return c.greet.Buffers(iov, limit)
	case ready:
		return c.out.Buffers(iov, limit)
	}
	return iov
}

// Sent says that the first n bytes of the output are on their way.
func (c *Conn) Sent(now clock.Instant, n int) {
	if c.state == greeting {
		c.greet.Consume(c.pool, n)
		return
	}
	c.out.Consume(c.pool, n)
	c.sentTo += uint64(n)
	c.marks.add(mark{c.sentTo, now})
}

// Space returns where the next bytes should be read to: memory of the client that waits for the
// bulk string being received if much of it is missing, else scratch.
func (c *Conn) Space(scratch []byte) []byte {
	if c.state == ready && c.fifo.n > 0 && c.expired == 0 && c.parser.bulk() >= directRead && !joined(c.fifo.at(0).ticket) {
		if room := c.owner.Room(c.fifo.at(0).ticket, c.parser.bulk()); room != nil {
			c.direct = true
			return room
		}
	}
	c.direct = false
	return scratch
}

// Received takes bytes from the server, borrowed.
func (c *Conn) Received(now clock.Instant, b []byte) {
	c.now, c.heard = now, now
	if c.state == greeting {
		b = c.receivedGreeting(b)
	}
	c.counters.Add(stats.ServerResponseBytes, uint64(len(b)))
	if c.direct {
		c.receivedDirect(b)
		return
	}
	for len(b) > 0 && c.state == ready {
		if c.fifo.n == 0 {
			c.fail(message.ErrReply) // nobody asked
			return
		}
		if c.merge.leads(c.fifo.head) {
			b = b[c.receivedShared(b):]
			continue
		}
		n := c.answerRun(b)
		if n == 0 {
			n = c.receivedReply(b)
		}
		b = b[n:]
	}
}

// receivedReply takes bytes of the reply to the first request, and returns how many belong to it.
func (c *Conn) receivedReply(b []byte) int {
	n, done, err := c.parser.next(b)
	c.watch.reply += int64(n)
	e := c.fifo.at(0)
	if err != nil || e.end > c.sentTo {
		c.fail(message.ErrReply)
		return n
	}
	if c.set.FailureLimit > 0 {
		c.listen(b[:n], done)
	}
	if e.ticket.Fragment == message.WithData {
		switch held := c.misread.held(); c.misread.heard(b[:n], done) {
		case misreadYes:
			c.fail(message.ErrReply)
			return n
		case misreadPerhaps:
			return n // all of b belongs to it
		case misreadNo:
			if held != "" {
				c.answer(e.ticket, []byte(held), false)
			}
		}
	}
	c.answer(e.ticket, b[:n], done)
	return n
}

// answerRun is the fast path of pipelines: short replies for consecutive requests of one client are
// passed on at once. It returns how many bytes that were, 0 if there are not at least two of them.
func (c *Conn) answerRun(b []byte) int {
	if c.fifo.n < 2 || c.expired > 0 || c.parser.begun() {
		return 0
	}
	first := c.fifo.at(0).ticket
	if joined(first) {
		return 0
	}
	size, count := 0, uint32(0)
	most := c.merge.before(c.fifo.head, c.watch.first(c.fifo.head, c.fifo.n))
	for t := first; count < most; t.Sequence++ {
		if e := c.fifo.at(count); e.ticket != t || e.end > c.sentTo {
			break
		}
		n := c.parser.short(b[size:])
		if n == 0 || c.parser.telling(b[size:]) && (c.set.FailureLimit > 0 || t.Fragment == message.WithData) {
			break // an error may say that the server cannot serve, or does not know the command
		}
		size += n
		count++
	}
	if count < 2 || !c.owner.Replies(first, b[:size], count) {
		return 0
	}
	c.answeredAll(count)
	return size
}

// answeredAll removes the first count entries, whose replies have been passed on at once.
func (c *Conn) answeredAll(count uint32) {
	c.doneTo = c.fifo.at(count - 1).end
	c.measure(count)
	c.fifo.drop(count)
	c.counters.Add(stats.ServerResponses, uint64(count))
	c.heardGood()
}

// answer passes bytes of a reply on; with the last ones the entry leaves the FIFO.
func (c *Conn) answer(t message.Ticket, b []byte, done bool) {
	orphan := c.expired > 0
	if done {
		c.answered()
	}
	switch {
	case joined(t):
		c.answerJoined(t, b, done, orphan)
	case !orphan:
		c.owner.Reply(t, b, done)
	case done:
		c.counters.Inc(stats.LateReplies)
		c.owner.Over(t)
	}
}

// answered removes the first entry, whose reply has ended.
func (c *Conn) answered() {
	c.doneTo = c.fifo.at(0).end
	c.measure(1)
	c.weighed()
	c.fifo.pop()
	if c.expired > 0 {
		c.expired--
	}
	c.counters.Inc(stats.ServerResponses)
}

// receivedDirect takes bytes that were read into the client's own memory; they lie within one bulk
// string by construction.
func (c *Conn) receivedDirect(b []byte) {
	c.direct = false
	t, shared := c.fifo.at(0).ticket, c.merge.leads(c.fifo.head)
	_, done, err := c.parser.next(b)
	c.watch.reply += int64(len(b))
	if err != nil {
		c.owner.Filled(t, 0, false)
		c.fail(message.ErrReply)
		return
	}
	if c.set.FailureLimit > 0 && !shared {
		c.listen(b, done)
	}
	if done {
		c.answered()
	}
	c.owner.Filled(t, len(b), done)
	if shared && c.parser.bulk() == 0 {
		c.endValue()
	}
}

// Lost says that the socket is gone; nil means that the server closed it.
func (c *Conn) Lost(now clock.Instant, err error) {
	c.now = now
	if c.state == closed {
		return
	}
	if err == nil {
		err = message.ErrEOF
	}
	if c.atHello() && c.greet.Len() == 0 && len(c.refusal) == 0 && c.owner.HungUp(c) {
		c.lacksRESP3()
	}
	c.fail(err)
}

// Close ends the connection for good because the proxy wants it; what waits, and what comes later,
// fails with err.
func (c *Conn) Close(now clock.Instant, err error) {
	c.now = now
	if c.state != closed {
		c.fail(err)
	}
	c.retryAt, c.lastErr = clock.Never, err
}
