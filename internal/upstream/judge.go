package upstream

import (
	"bytes"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// Failure is a failure of a server that counts.
type Failure struct {
	Err error
	At  clock.Instant
	// Dialed is when the connection that was lost had been dialed, 0 if none was lost: when several are lost
	// at once, it is one failure.
	Dialed clock.Instant
}

// VerdictWithin is how long requests wait for a verdict after a failure, at most. It comes within
// microseconds as long as anybody gives one.
const VerdictWithin = 100 * time.Millisecond

// await has requests wait from now on for what becomes of the server.
func (c *Conn) await() {
	c.verdict = c.now.Add(VerdictWithin)
	c.makeRoom()
	c.owner.Wake(c, c.verdict)
}

// Verdict says that it is decided what becomes of the server, and that the connection has been told by
// Apply: requests need not wait any more.
func (c *Conn) Verdict() {
	if c.verdict != 0 {
		c.verdict = 0
		c.makeRoom()
		c.owner.Settled(c)
	}
}

// Judged says that Send would return message.ErrVerdict.
func (c *Conn) Judged(now clock.Instant) bool {
	return c.verdict > now && !c.Server.Ejected
}

// Reopen dials a connection that is kept open always, after its server was readmitted.
func (c *Conn) Reopen() {
	if c.set.Preconnect && c.Lasting && c.state == closed && !c.Server.Ejected {
		c.owner.Wake(c, max(c.now, c.retryAt))
	}
}

// complaints are the errors by which a server says that it cannot serve anybody, at their beginnings. They
// are passed to the client and count as failures. Others (-OOM, -BUSY, -READONLY) concern one request.
var complaints = [...][]byte{
	[]byte("-LOADING "), []byte("-MASTERDOWN "),
	// To a connection that is one too many, and is then closed.
	[]byte("-ERR max number of clients"), []byte("ERROR Too many open connections"),
}

// errComplaint is the reason of a failure that the client reads in the server's own words.
var errComplaint = &message.Failure{Text: "the server says that it cannot serve"}

// complaint is how a reply begins, as far as needed to tell whether it is a complaint. It may come in
// pieces.
type complaint struct {
	head [32]byte
	n    uint8
}

// add takes more of the reply's beginning.
func (p *complaint) add(b []byte) { p.n += uint8(copy(p.head[p.n:], b)) }

// is says whether the reply is a complaint.
func (p *complaint) is() bool {
	for _, c := range complaints {
		if bytes.HasPrefix(p.head[:p.n], c) {
			return true
		}
	}
	return false
}

// listen hears bytes of a reply, the last ones or not, for what they say of the server.
func (c *Conn) listen(b []byte, done bool) {
	c.complain.add(b)
	if !done {
		return
	}
	complains := c.complain.is()
	c.complain = complaint{}
	switch {
	case complains:
		c.await()
		c.owner.Failed(c, Failure{Err: errComplaint, At: c.now})
	default:
		c.heardGood()
	}
}

// heardGood reports a good reply if it is the first after a failure.
func (c *Conn) heardGood() {
	if c.troubled {
		c.troubled = false
		c.owner.Recovered(c)
	}
}

// Doubt says that the server has failed, on this connection or another: the next good reply is to be reported.
func (c *Conn) Doubt() { c.troubled = true }

// Trust says that a good reply was reported.
func (c *Conn) Trust() { c.troubled = false }

// unknownCommand is what a memcached answers to a line that it does not know. If data came behind the line it has
// taken that for commands, and answers those too: its replies are not those to our requests any more.
const unknownCommand = "ERROR\r\n"

// misreading is how much of unknownCommand the reply to a request with data begins with, as far as it has come;
// beyond its length, that it is another reply. Until that is known the bytes are held.
type misreading uint8

type misreadingIs uint8

const (
	misreadNo misreadingIs = iota
	misreadPerhaps
	misreadYes
)

// held is what has come of the reply and was not passed on.
func (m misreading) held() string {
	if int(m) > len(unknownCommand) {
		return ""
	}
	return unknownCommand[:m]
}

// heard takes bytes of the reply, the last ones or not.
func (m *misreading) heard(b []byte, done bool) misreadingIs {
	at := int(*m)
	if at+len(b) > len(unknownCommand) || string(b) != unknownCommand[at:at+len(b)] {
		at = len(unknownCommand) + 1
	} else {
		at += len(b)
	}
	*m = misreading(at)
	if done {
		*m = 0
	}
	switch {
	case at > len(unknownCommand):
		return misreadNo
	case done:
		return misreadYes
	}
	return misreadPerhaps
}
