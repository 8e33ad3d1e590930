package sim

import (
	"math/rand/v2"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/clock"
)

// client is one connection's worth of a client: a new one takes its seat when it has gone, with keys
// of its own, since what the old one had under way may still happen.
type client struct {
	w      *world
	seat   int
	number int // unlike any other client's
	prefix string
	rng    *rand.Rand // what it asks depends on nothing else
	left   int        // requests still to make
	made   int
	authed bool
	lane   lane // in which its next request will be
	name   string
	hush   bool   // it does not want to hear the answer to its next request
	asking *offer // what it has to hear of first

	pipe    *pipe
	send    queue
	moved   int // bytes ever taken from send to the socket
	recv    queue
	need    int      // bytes of recv with which it is worth looking for a reply
	waiting []expect // oldest first
	owed    int      // of which so many are sure to get a reply
	errors  int      // seen since it was last certain whose replies come: see memcached.pick
	model   map[place]*cell
	wrote   map[string]uint64 // unique numbers, by key

	pause     clock.Instant // it asks nothing until then
	stalled   clock.Instant // it reads nothing until then
	halfClose bool          // is to close its side once all is sent
	ending    bool          // the proxy is to close the connection once all is answered
	over      bool
}

func (w *world) newClient(seat, requests int) *client {
	c := &client{
		w: w, seat: seat, number: w.people, prefix: "c" + itoa(w.people) + ":", left: requests,
		rng: rand.New(rand.NewPCG(w.cfg.Seed, 1000+uint64(w.people))), model: map[place]*cell{}, wrote: map[string]uint64{},
		authed: w.cfg.Auth == "",
	}
	c.enter(lane{database: w.cfg.Database})
	w.people++
	w.accept(c)
	return c
}

func itoa(n int) string { return strconv.Itoa(n) }

func (c *client) step() {
	if c.over {
		if c.left > 0 && !c.w.draining {
			c.w.clients[c.seat] = c.w.newClient(c.seat, c.left)
		}
		return
	}
	c.read()
	if c.over {
		return
	}
	if c.w.now < c.pause {
		c.w.wakeAt(c.pause)
	} else if c.send.size() == 0 && oneIn(c.w.rng, 2) {
		c.generate()
	} else if c.left > 0 {
		c.w.busy = c.w.busy || c.send.size() == 0 && c.mayAsk()
	}
	c.write()
}

// mayAsk says whether the client could make a request now.
func (c *client) mayAsk() bool {
	return c.left > 0 && !c.ending && !c.halfClose && c.asking == nil && c.owed < c.w.cfg.Window
}

// write moves bytes to the socket.
func (c *client) write() {
	w, p := c.w, c.pipe
	if p.closed || p.fin || p.reset != nil {
		return
	}
	if n := min(w.portion(c.send.size()), w.cfg.Buffer-p.in.size()); n > 0 {
		p.in.add(c.send.bytes()[:n])
		c.send.drop(n)
		c.moved += n
		w.busy = true
	}
	if c.halfClose && c.send.size() == 0 {
		p.fin, c.ending, w.busy = true, true, true
	}
}

// read takes bytes from the socket and checks the replies among them.
func (c *client) read() {
	w, p := c.w, c.pipe
	if w.now < c.stalled {
		w.wakeAt(c.stalled)
		return
	}
	if n := w.portion(p.out.size()); n > 0 {
		w.busy = true
		b := p.out.bytes()[:n]
		w.received(c, b)
		c.recv.add(b)
		p.out.drop(n)
		c.replies()
	}
	if p.closed && p.out.size() == 0 && !c.over {
		c.closedByProxy()
	}
}

// replies checks every whole reply that has come.
func (c *client) replies() {
	for c.recv.size() > 0 && c.recv.size() >= c.need {
		end, v := c.w.dialect.scanReply(c.recv.bytes())
		switch v {
		case unfinished:
			c.need = end
			return
		case malformed:
			c.fail("got what is no reply: %s", short(c.recv.bytes()))
			return
		}
		reply := c.recv.bytes()[:end]
		if i := c.w.dialect.pick(c, reply); i >= 0 {
			c.check(&c.waiting[i], reply)
			for k := range i + 1 {
				if c.waiting[k].silence == loud {
					c.owed--
				}
				c.waiting[k] = expect{}
			}
			c.waiting = c.waiting[i+1:]
		}
		c.recv.drop(end)
		c.need = 0
	}
}

// closedByProxy decides whether the proxy had reason to close the connection.
func (c *client) closedByProxy() {
	w := c.w
	left := c.left
	c.end()
	switch {
	case w.draining:
		w.result.Dropped += c.owed
		if c.recv.size() > 0 && !w.mayCut() {
			c.fail("was closed in the middle of a reply")
		}
		if e := c.unheard(); e != nil && !w.mayCut() {
			c.fail("was closed with a request that the proxy has read and not answered: %s", e.show())
		}
		return
	case c.ending && c.owed == 0 && c.recv.size() == 0:
		return
	case w.strict && !w.cfg.OldServer || !w.mayCut():
		c.fail("was closed with %d requests unanswered and %d bytes of a reply", c.owed, c.recv.size())
	}
	w.result.Cut++
	c.left = max(left-1, 0)
}

// unheard is a request that the proxy has read and that is sure to get a reply, which has not come; nil if there is none.
func (c *client) unheard() *expect {
	read := c.moved - c.pipe.in.size()
	for i := range c.waiting {
		if e := &c.waiting[i]; e.end <= read && e.silence == loud {
			return e
		}
	}
	return nil
}

// mayCut says that something has happened that lets the proxy close a client. A reply that was cut
// short in the middle leaves no other way, nor does a client that breaks a bound.
func (w *world) mayCut() bool {
	l := w.cfg.Limits
	return w.broken || w.cfg.OldServer || w.cfg.MemoryLimit > 0 || l.StalledClient > 0 || l.ClientOutput < DefaultLimits().ClientOutput
}

// reset is the client's sudden end.
func (c *client) reset() {
	if !c.pipe.closed {
		c.pipe.cut(errReset, c.w.rng.IntN(c.pipe.in.size()+1))
	}
	c.end()
}

func (c *client) end() {
	c.over = true
	c.w.result.Answers += len(c.waiting) - c.owed // they were answered with silence to the end
	c.pipe.done = true
	c.w.busy = true
	c.model = nil
}

func (c *client) fail(format string, args ...any) {
	c.w.fail("client "+itoa(c.number)+" "+format, args...)
}
