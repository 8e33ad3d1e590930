package sim

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// expect is a request that waits for its reply, and how to judge it. It is judged against the
// client's model when its turn comes.
type expect struct {
	kind   expectation
	remote bool // a server has to answer: if one fails, an error may stand in
	odd    bool // is answered even before authentication
	name   string
	args   []string
	key    string // if it is a single one
	exact  string

	lane    lane
	asked   clock.Instant
	silence silence
	token   string // an opaque word that its reply repeats: see memcached.pick
	flushed int    // the world's when it was sent
	since   int    // the number of the ring in force then
	end     int    // where it ends among the bytes that the client sends
}

// silence is whether a request has a reply.
type silence uint8

const (
	loud       silence = iota
	unlessNews         // only if it says something: memcached's flag q
	never              // memcached's noreply
)

type expectation uint8

const (
	exactly     expectation = iota // exact is the reply
	single                         // one private key
	array                          // MGET of private keys
	pairs                          // MSET of private keys
	sum                            // DEL, EXISTS and their like of private keys
	twoKeys                        // exact is the reply, if two keys are on one server
	common                         // GET or SET of a shared key
	values                         // memcached's get and its like of private keys
	flush                          // memcached's flush_all
	numbers                        // memcached's stats
	everyServer                    // memcached's stats servers
)

// check judges one reply.
func (c *client) check(e *expect, reply []byte) {
	if c.w.cfg.Trace {
		c.w.log("reply client%d %s to %s", c.number, short(reply), e.show())
	}
	if e.kind == single && c.w.dialect.missed(reply) && c.missExcused(c.serverOf(e)) {
		c.doubt(e) // it says nothing of the key
		if certain(c.cells(e, e.key)) {
			c.w.result.Errors++
			c.rest()
		} else {
			c.w.result.Answers++
		}
		return
	}
	want := ""
	if !c.heardHello(e, reply) {
		want = c.judge(e, reply)
	}
	if want == "" {
		c.w.result.Answers++
		return
	}
	text, failed := c.w.dialect.failure(reply)
	switch loading := string(reply) == c.w.dialect.loading(); {
	case e.remote && c.excused(reply) && !c.missPromised(e, text):
		if !loading || e.kind != single { // of several servers some may have done their part
			c.doubt(e)
		}
		if !loading {
			c.rest()
		}
	case failed && c.w.cfg.MemoryLimit > 0 && text == message.ErrMemory.Text:
		c.doubt(e)
	default:
		c.fail("got %s to %s, want %s", short(reply), e.show(), want)
		return
	}
	c.w.result.Errors++
}

func (e *expect) show() string {
	s := ""
	for _, a := range e.args[:min(len(e.args), 12)] {
		s += short(a) + " "
	}
	return s
}

// excused says whether a fault explains the error.
func (c *client) excused(reply []byte) bool {
	w := c.w
	if string(reply) == w.dialect.loading() {
		return w.mayLoad()
	}
	if string(reply) == refused {
		return w.cfg.OldServer
	}
	text, failed := w.dialect.failure(reply)
	if !failed || !w.excused[text] {
		return false
	}
	return !w.strict || text == message.ErrQueueFull.Text || text == message.ErrMemory.Text
}

// mayLoad says that a server may refuse a request for now.
func (w *world) mayLoad() bool { return w.gullible && w.cfg.Faults&Loading != 0 && !w.strict }

// mayFail says that a request to a server, or to any if it is negative, may have failed without its
// client's being told. Where requests can be late or refused it may be any server's, else only that of one
// that something has happened to.
func (w *world) mayFail(server int) bool {
	if w.cfg.Limits.ServerQueue < DefaultLimits().ServerQueue {
		return true
	}
	if w.strict || len(w.excused) == 0 {
		return false
	}
	return server < 0 || w.cfg.Timeout > 0 || w.cfg.MemoryLimit > 0 || w.servers[server].hurt
}

// missPromised says that a request should not have heard of this failure.
func (c *client) missPromised(e *expect, text string) bool {
	reads := e.kind == values || e.kind == single && e.name == "mg" || e.kind == common && e.name == "get"
	return c.w.cfg.MissOnFailure && reads && c.w.excused[text] && text != message.ErrMemory.Text
}

// missExcused says that a miss may stand for a server that failed, or for any if it is negative.
func (c *client) missExcused(server int) bool { return c.w.cfg.MissOnFailure && c.w.mayFail(server) }

// rest lets the client ask nothing for a moment: a connection is not tried again at once.
func (c *client) rest() { c.pause = c.w.now + clock.Instant(c.w.rng.Int64N(50e6)) }

// doubt makes room in the model for a request that a server may or may not have done.
func (c *client) doubt(e *expect) {
	if e.kind != single {
		c.w.dialect.doubt(c, e)
		return
	}
	for _, x := range c.cells(e, e.key) {
		for _, v := range append([]value(nil), x.states...) {
			_, after := c.w.dialect.exec(e.lane.resp3, e.name, v, e.args, nil)
			x.add(after)
		}
	}
}

// judge compares a reply with the model and moves the model on. It returns what was wanted instead,
// "" if the reply is right.
func (c *client) judge(e *expect, reply []byte) string {
	switch e.kind {
	case single:
		return c.judgeSingle(e, reply)
	case twoKeys:
		return c.crosses(e, reply)
	case everyServer:
		return c.statsServers(e, reply)
	case exactly:
		if string(reply) == e.exact {
			return ""
		}
		return short(e.exact)
	}
	return c.w.dialect.judge(c, e, reply)
}

func (c *client) judgeSingle(e *expect, reply []byte) string {
	cells, d := c.cells(e, e.key), c.w.dialect
	if len(cells) == 0 {
		return "an error, as there is no server"
	}
	// A key of which too much is possible explains any reply, but no failure: that leaves all its servers in doubt.
	if d.isError(reply) && slices.ContainsFunc(cells, func(x *cell) bool { return x.wild }) {
		return "no such error"
	}
	if x := cells[0]; len(cells) == 1 && x.wild {
		if d.overwrites(e) {
			if out, after := d.exec(e.lane.resp3, e.name, value{}, e.args, nil); bytes.Equal(out, reply) {
				x.set(after)
			}
		}
		return ""
	}
	want := ""
	if c.advance(cells, e, func(out []byte) bool {
		if bytes.Equal(out, reply) {
			return true
		}
		if want == "" {
			want = short(out)
		}
		return false
	}) {
		return ""
	}
	return want
}

func (c *client) judgePairs(e *expect, reply []byte) string {
	if string(reply) != "+OK\r\n" {
		return "+OK"
	}
	for i := 1; i+1 < len(e.args); i += 2 {
		assign(c.cells(e, e.args[i]), value{kind: text, text: e.args[i+1]})
	}
	return ""
}

func (c *client) judgeArray(e *expect, reply []byte) string {
	line, next, v := scanLine(reply, 0)
	if n, ok := count(line, '*'); v != whole || !ok || n != len(e.args)-1 {
		return "an array of " + itoa(len(e.args)-1)
	}
	var out []byte
	for _, k := range e.args[1:] {
		end, v := scanReply(reply, next)
		if v != whole {
			return "more elements"
		}
		first := ""
		ok := keep(c.cells(e, k), func(v value) bool {
			out = appendText(out[:0], v, e.lane.resp3)
			if first == "" {
				first = short(out)
			}
			return bytes.Equal(out, reply[next:end])
		})
		if !ok {
			return first + " for key " + k
		}
		next = end
	}
	return ""
}

func (c *client) judgeSum(e *expect, reply []byte) string {
	n, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimPrefix(reply, []byte(":")), []byte("\r\n"))))
	least, most := 0, 0
	removes := e.name == "DEL" || e.name == "UNLINK"
	for i, k := range e.args[1:] {
		if removes && slices.Contains(e.args[1:1+i], k) {
			continue
		}
		cells := c.cells(e, k)
		some := false
		for _, x := range cells {
			some = some || x.wild
			for _, v := range x.states {
				some = some || v.kind != absent
			}
		}
		if certain(cells) {
			least++
		}
		if some {
			most++
		}
	}
	if reply[0] != ':' || err != nil || n < least || n > most {
		return ":" + itoa(least) + " to " + itoa(most)
	}
	if removes {
		for _, k := range e.args[1:] {
			assign(c.cells(e, k), value{})
		}
	}
	return ""
}

// judgeCommon: whoever wrote it, it was written to this key, and not replaced before the client asked for it.
func (c *client) judgeCommon(e *expect, reply []byte) string {
	if e.name == "SET" {
		if string(reply) == "+OK\r\n" {
			return ""
		}
		return "+OK"
	}
	if string(reply) == null(e.lane.resp3) {
		return ""
	}
	if line, next, v := scanLine(reply, 0); v == whole && line[0] == '$' {
		if c.w.fits(e, string(reply[next:len(reply)-2])) {
			return ""
		}
	}
	return "a value that this key has had since"
}
