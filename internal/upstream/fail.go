package upstream

import (
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// fail closes the socket and fails every request in the FIFO. The connection is closed and empty
// before the first of them hears of it, so that whatever they do next finds it in order.
func (c *Conn) fail(err error) {
	was, idle, orphans := c.state, c.fifo.n == 0, c.expired
	c.tellFailed(err)
	c.state, c.direct = closed, false
	c.owner.Hangup(c)
	c.ID = 0
	c.out.Clear(c.pool)
	c.greet.Clear(c.pool)
	c.queuedTo, c.sentTo, c.doneTo, c.expired, c.greetLeft = 0, 0, 0, 0, 0
	c.large, c.largeEnd = 0, 0
	c.joins.forget()
	c.merge.forget()
	c.marks.reset()
	c.refusal, c.complain, c.misread = nil, complaint{}, 0
	c.parser.reset(c.set, c.lane)

	quiet := c.quiet
	c.quiet = false
	if !quiet {
		c.count(err)
	}
	event := ConnectionLost
	if was != ready {
		event = ConnectFailed
		c.backOff(err)
	}
	// A server that closes an idle connection, because it restarts or has had enough of it, has not failed. One
	// that says something unasked has.
	idle = idle && err != message.ErrReply
	if c.set.FailureLimit > 0 && !(was == ready && idle) && !intended(err) && !c.blameless(err) {
		c.await()
		f := Failure{Err: err, At: c.now}
		if event == ConnectionLost {
			f.Dialed = c.dialed
		}
		c.owner.Failed(c, f)
	}
	c.choice = false
	if !quiet && !(was == ready && idle && (err == message.ErrEOF || err == message.ErrUnused)) {
		c.owner.ServerEvent(c, event, err)
	}
	failed := c.fifo
	c.fifo = fifo{ring: c.spare, head: failed.head + failed.n}
	c.spare = nil
	for i := range failed.n {
		t := failed.at(i).ticket
		if i < orphans {
			c.holders(t, c.owner.Over)
		} else {
			c.holders(t, func(t message.Ticket) { c.owner.Fail(t, err) })
		}
		c.joins.release(t)
	}
	if len(failed.ring) <= 1024 {
		c.spare = failed.ring
	}
	if c.set.Preconnect && c.Lasting && !intended(err) && !c.lacks {
		at := c.retryAt
		if was == ready {
			at = c.now.Add(c.reconnectPause())
		}
		c.owner.Wake(c, at)
	}
}

// reconnectPause is how long preconnect waits for a new socket: longer each time that one did not even
// live for a second, as with a server that accepts only to hang up.
func (c *Conn) reconnectPause() time.Duration {
	if c.now.Sub(c.dialed) >= time.Second {
		c.shortLives = 0
	}
	pause := min(retryMin<<min(c.shortLives, 6), retryMax)
	c.shortLives++
	return pause
}

// intended says that the proxy itself has closed the connection for good.
func intended(err error) bool { return err == message.ErrShutdown || err == message.ErrRemoved }

func (c *Conn) count(err error) {
	switch {
	case err == message.ErrEOF:
		c.counters.Inc(stats.ServerEOFs)
	case err.Error() == message.ErrTimeout.Text: // the system's timeouts have the same text
		c.counters.Inc(stats.ServerTimeouts)
	case intended(err), err == message.ErrUnused:
	default:
		c.counters.Inc(stats.ServerErrors)
	}
}

// backOff keeps the server from being dialed again too soon.
func (c *Conn) backOff(err error) {
	pause := retryMax
	if c.failures < 6 {
		pause = min(retryMin<<c.failures, retryMax)
	}
	c.failures++
	if c.failures <= uint(c.set.FailureLimit) {
		pause = 0 // the next attempt may be what ejects the server: it is not put off
	}
	c.retryAt, c.lastErr = c.now.Add(pause), err
}

// Expire is called when an instant given to Wake has come. It fails what has timed out and returns
// when it wants to be called next, Never if it does not.
func (c *Conn) Expire(now clock.Instant) clock.Instant {
	c.now = now
	if c.verdict <= now {
		c.Verdict()
	}
	next := clock.Never
	if c.verdict != 0 {
		next = c.verdict
	}
	if c.state == closed {
		if c.verdict != 0 || !c.set.Preconnect || !c.Lasting || c.lacks || c.Server.Ejected {
			return next
		}
		if c.retryAt > now {
			return c.retryAt
		}
		_ = c.Open(now) // retryAt has passed: it dials
		return next
	}
	if d := c.set.ConnectTimeout; d > 0 && c.state != ready {
		if now >= c.dialed.Add(d) {
			c.fail(message.ErrTimeout)
			return next
		}
		next = c.dialed.Add(d)
	}
	if c.set.Timeout > 0 {
		next = min(next, c.expireRequests(now))
	}
	return next
}

// expireRequests makes orphans of the requests that are too old. When the server has sent nothing
// for the whole timeout it is the connection that has failed.
func (c *Conn) expireRequests(now clock.Instant) clock.Instant {
	if c.fifo.n == 0 {
		return clock.Never
	}
	timeout := c.set.Timeout
	silent := max(c.heard, c.fifo.at(0).arrived.at()).Add(timeout)
	if now >= silent {
		for i := c.expired; i < c.fifo.n; i++ {
			c.counters.Add(stats.RequestTimeouts, c.holding(c.fifo.at(i).ticket))
		}
		c.fail(message.ErrTimeout)
		return clock.Never
	}
	for c.expired < c.fifo.n {
		e := c.fifo.at(c.expired)
		due := e.arrived.at().Add(timeout)
		if due > now {
			return min(due, silent)
		}
		c.tellUnanswered(c.expired, message.ErrTimeout)
		c.expired++
		c.counters.Add(stats.RequestTimeouts, c.holding(e.ticket))
		c.holders(e.ticket, c.owner.Late)
	}
	return silent
}

// receivedGreeting takes the handshake's replies and returns what follows them. A refused AUTH or
// SELECT fails the connection: requests must not run without the rights or in the database of
// another.
func (c *Conn) receivedGreeting(b []byte) []byte {
	for len(b) > 0 && c.greetLeft > 0 {
		n, done, err := c.parser.next(b)
		early := c.greet.Len() > 0 // an answer to what was not asked yet
		if c.greetLeft == 2 {
			early = c.greet.Len() > c.greetTail
		}
		if err != nil || early {
			c.fail(message.ErrReply)
			return nil
		}
		c.refusal = append(c.refusal, b[:min(n, maxRefusal-len(c.refusal))]...)
		b = b[n:]
		if !done {
			return nil
		}
		if kind := c.refusal[0]; kind != '+' && !(c.lane.RESP3 && (kind == '%' || kind == '*')) {
			c.refused(strings.TrimRight(string(c.refusal[1:]), "\r\n"))
			return nil
		}
		c.refusal = c.refusal[:0]
		c.greetLeft--
	}
	if c.greetLeft == 0 {
		c.refusal = nil
		c.becomeReady()
		c.owner.Writable(c)
	}
	return b
}

// withoutSecrets takes our password out of a server's words, which clients and the log will get: a server
// that does not know AUTH repeats the beginning of what came with it.
func (c *Conn) withoutSecrets(text string) string {
	text, _, _ = strings.Cut(text, ", with args beginning with")
	if c.set.Auth != "" {
		text = strings.ReplaceAll(text, c.set.Auth, "***")
	}
	return text
}

// blameless says that an end is no failure of the server: it refuses what a client has chosen, a database that it
// does not have for instance, or it is the proxy that lacks descriptors, memory or ports.
func (c *Conn) blameless(err error) bool {
	own, ok := err.(interface{ Own() bool })
	return c.choice || ok && own.Own()
}

// refused ends a connection whose server does not want it.
func (c *Conn) refused(text string) {
	head := complaint{}
	head.add(c.refusal)
	c.choice = !c.Lasting && !head.is()
	if c.atHello() && !head.is() && refusesHello(text) {
		c.lacksRESP3()
	}
	c.refusal = nil
	c.fail(&message.Failure{Text: "server refused the connection: " + c.withoutSecrets(text)})
}

// atHello says that the answer to HELLO has not come whole.
func (c *Conn) atHello() bool {
	return c.state == greeting && c.lane.RESP3 && (c.greetLeft == 2 || c.lane.Database == 0)
}

// lacksRESP3 notes that the server refuses the lane's protocol. The connection is about to fail by it: that is no failure
// of the server, and no news if it was known and nobody waits.
func (c *Conn) lacksRESP3() {
	c.choice, c.lacks = true, true
	c.quiet = c.owner.LacksRESP3(c) && c.fifo.n == 0
}

// refusesHello says whether an error that HELLO was answered with means that the server lacks it. There are as many
// wordings as servers and proxies; what is told apart is that it wants other credentials, or nobody at the moment.
func refusesHello(text string) bool {
	switch code, _, _ := strings.Cut(text, " "); code {
	case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN":
		return false
	}
	text, _, _ = strings.Cut(strings.ToLower(text), " with args") // behind it is what we said ourselves
	for _, other := range []string{"password", "authenticat", "permission", "denied", "max number of clients", "too many"} {
		if strings.Contains(text, other) {
			return false
		}
	}
	return true
}

// Retire closes a connection that is not lasting and has had nothing to do since an instant.
func (c *Conn) Retire(now, since clock.Instant) {
	c.now = now
	if !c.Lasting && c.state == ready && c.fifo.n == 0 && c.heard < since {
		c.fail(message.ErrUnused)
	}
}

// Abandon closes the connection if it has no requests, and reports whether it is closed. One with requests stays until
// they are answered or fail.
func (c *Conn) Abandon(now clock.Instant) bool {
	c.now = now
	if c.state == ready && c.fifo.n == 0 {
		c.fail(message.ErrUnused)
	}
	return c.state == closed
}

// maxRefusal bounds what is kept of a reply to the handshake, in bytes. That to HELLO may be longer: it lists modules.
const maxRefusal = 4096

// Apply takes the settings of a new snapshot. What is in flight goes on, and has the new timeouts from its
// arrival. Of a server that is ejected nothing more is wanted until it is not.
func (c *Conn) Apply(server *topology.Server, set *topology.Settings) {
	c.Server, c.set = server, set
	c.parser.configure(set, c.lane)
	c.watch.configure(set, c.fifo.head+c.fifo.n)
	c.joins.close(c.queuedTo)
	c.makeRoom()
	if set.ConnectTimeout > 0 && (c.state == dialing || c.state == greeting) {
		c.owner.Wake(c, c.dialed.Add(set.ConnectTimeout))
	}
	if set.Timeout > 0 && c.fifo.n > 0 {
		c.owner.Wake(c, c.fifo.at(0).arrived.at().Add(set.Timeout))
	}
}

// makeRoom says up to which length of the queue a request needs no second look: none if the server is ejected,
// or may be.
func (c *Conn) makeRoom() {
	c.room = c.set.ServerQueue
	if c.Server.Ejected || c.verdict != 0 {
		c.room = 0
	}
}

// Trim gives back what an idle connection does not need.
func (c *Conn) Trim() {
	c.fifo.shrink()
	c.joins.shrink()
	c.merge.shrink()
}

func appendCommand(dst []byte, words ...string) []byte {
	dst = resp.AppendArray(dst, len(words))
	for _, w := range words {
		dst = resp.AppendBulk(dst, []byte(w))
	}
	return dst
}

func itoa(n int) string { return strconv.Itoa(n) }
