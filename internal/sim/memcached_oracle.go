package sim

import (
	"bytes"
	"strings"

	"github.com/cashew-proxy/cashew/internal/message"
)

func (memcached) isError(reply []byte) bool {
	return bytes.HasPrefix(reply, []byte("SERVER_ERROR")) || string(reply) == "ERROR\r\n"
}

// missed: a miss, with whatever words of the request it repeats.
func (memcached) missed(reply []byte) bool { return bytes.HasPrefix(reply, []byte("EN")) }

func (memcached) failure(reply []byte) (string, bool) { return between(reply, "SERVER_ERROR ") }

func (memcached) overwrites(e *expect) bool { return e.name == "set" }

// pick finds the request that a reply belongs to and settles the silent ones before it.
//
// Requests with noreply are passed over: no reply is theirs, ever. In a batch, whose requests may be
// silent or not, the opaque word says whose a reply is. Only an error has none: it is counted, and any of
// the requests up to the next one that is certain may have failed, but no more of them than there were
// errors.
func (m memcached) pick(c *client, reply []byte) int {
	first := 0
	for first < len(c.waiting) && c.waiting[first].silence == never {
		first++
	}
	if first == len(c.waiting) {
		if text, ok := m.failure(reply); !ok || c.w.cfg.MemoryLimit == 0 || text != message.ErrMemory.Text {
			c.fail("got a reply to nothing: %s", short(reply))
		}
		return -1 // a request that cannot be stored ends the connection, whatever it is
	}
	found := first
	if c.waiting[first].token != "" {
		if c.failedInBatch(reply) {
			c.errors++
			c.w.result.Errors++
			c.rest()
			return -1
		}
		word := opaque(reply)
		for found < len(c.waiting)-1 && c.waiting[found].passes(word) {
			found++
		}
	}
	m.settle(c, found)
	if e := &c.waiting[found]; e.silence == unlessNews && hushed(e.name, reply) {
		c.fail("was shown %s to %s, which is to be hidden", short(reply), e.show())
	}
	return found
}

// passes says that a reply with this word is not the request's, but that of a later one.
func (e *expect) passes(word string) bool {
	return e.silence == never || e.token != "" && e.token != word
}

// failedInBatch says that a reply is of a request that failed, and that a fault explains it.
func (c *client) failedInBatch(reply []byte) bool {
	return c.excused(reply) || c.w.dialect.missed(reply) && c.missExcused(-1)
}

// settle judges the silence of the first n requests: the next one has been answered, or all is at rest.
func (m memcached) settle(c *client, n int) {
	might, must := 0, 0
	for i := range n {
		e := &c.waiting[i]
		if e.token != "" {
			might++
			if e.silence == loud {
				must++
			}
		}
	}
	if c.errors < must || c.errors > might {
		c.fail("got %d errors where %d to %d requests may have failed, after %s", c.errors, must, might, c.waiting[0].show())
		return
	}
	for i := range n {
		e := &c.waiting[i]
		if c.w.cfg.Trace {
			c.w.log("silence client%d to %s", c.number, e.show())
		}
		switch {
		case e.silence == never && (c.w.mayFail(c.serverOf(e)) || c.w.mayLoad()):
			c.doubt(e)
		case e.silence == never:
			m.unheard(c, e)
		case c.errors > 0:
			c.doubt(e)
		default:
			m.quiet(c, e)
		}
	}
	c.w.result.Answers += n - must
	c.errors = 0
}

// unheard moves the model past a request with noreply.
func (m memcached) unheard(c *client, e *expect) {
	switch e.kind {
	case single:
		if cells := c.cells(e, e.key); len(cells) != 1 || !cells[0].wild {
			c.advance(cells, e, func([]byte) bool { return true })
		}
	case flush:
		c.forget()
	}
}

// quiet judges the silence of a quiet request.
func (m memcached) quiet(c *client, e *expect) {
	if cells := c.cells(e, e.key); len(cells) == 1 && cells[0].wild {
		return
	}
	if e.name == "mg" && c.missExcused(c.serverOf(e)) {
		c.doubt(e)
		return
	}
	if !c.advance(c.cells(e, e.key), e, func(out []byte) bool { return hushed(e.name, out) }) {
		c.fail("got nothing to %s, which has news", e.show())
	}
}

func (m memcached) judge(c *client, e *expect, reply []byte) string {
	switch e.kind {
	case values:
		return m.judgeValues(c, e, reply)
	case common:
		return m.judgeCommon(c, e, reply)
	case flush:
		if string(reply) != "OK\r\n" {
			return "OK"
		}
		c.forget()
		return ""
	}
	if bytes.HasPrefix(reply, []byte("STAT uptime ")) && bytes.HasSuffix(reply, []byte("\r\nEND\r\n")) {
		return ""
	}
	return "the proxy's numbers"
}

// forget is told of a flush_all of this client that was served: what it wrote before is gone.
func (c *client) forget() {
	w := c.w
	c.model = map[place]*cell{}
	if w.flushing--; w.flushing == 0 {
		w.flushed = w.flushes
	}
}

func (m memcached) doubt(c *client, e *expect) {
	if first, _ := valuesOf(e.name); e.kind == values && first == 2 {
		for _, k := range e.args[first:] {
			for _, x := range c.cells(e, k) {
				for _, v := range append([]value(nil), x.states...) {
					x.add(v.touched(e.args[1]))
				}
			}
		}
	}
}

// judgeValues: each key's value is there, in the order of the keys, if the key holds one.
func (m memcached) judgeValues(c *client, e *expect, reply []byte) string {
	first, _ := valuesOf(e.name)
	withUnique := strings.HasSuffix(e.name, "s")
	if m.isError(reply) {
		return "values"
	}
	at := 0
	// Of a server that failed all keys are missing; a gat may have asked one in several requests.
	var failed, answered [8]bool
	for _, k := range e.args[first:] {
		owner, there := c.serverOfKey(e, k), false
		cells := c.cells(e, k)
		if key, end := blockOf(reply, at); key == k {
			block := reply[at:end]
			out := c.w.scratchReply[:0]
			if !keep(cells, func(v value) bool {
				out = appendBlock(out[:0], k, v, withUnique)
				return bytes.Equal(out, block)
			}) {
				return "another value of " + k
			}
			c.w.scratchReply = out[:0]
			at, there = end, true
		}
		switch {
		case there && owner >= 0:
			answered[owner] = true
		case there:
		case c.missExcused(owner):
			if owner >= 0 && certain(cells) {
				failed[owner] = true
			}
		case !keep(cells, func(v value) bool { return v.kind == absent }):
			return "a value of " + k
		}
		if first == 2 {
			for _, x := range cells {
				x.touch(e.args[1], len(cells) > 1 || !there && c.missExcused(owner))
			}
		}
	}
	if string(reply[at:]) != "END\r\n" {
		return "no more values"
	}
	for i := range failed {
		if failed[i] && answered[i] && first == 1 {
			return "all values of server " + itoa(i) + " or none"
		}
		if failed[i] {
			c.rest()
		}
	}
	return ""
}

// blockOf returns the key of the block of a VALUE at reply[at:], and where it ends.
func blockOf(reply []byte, at int) (key string, end int) {
	line, next, v := scanLine(reply, at)
	word, rest, _ := strings.Cut(string(line[:min(len(line), 300)]), " ")
	if v != whole || word != "VALUE" {
		return "", at
	}
	if end, v = scanBlock(reply, next, word, rest); v != whole {
		return "", at
	}
	key, _, _ = strings.Cut(rest, " ")
	return key, end
}

// judgeCommon: whoever wrote it, it was written to this key, and not replaced before the client asked for it.
func (memcached) judgeCommon(c *client, e *expect, reply []byte) string {
	if e.name == "set" {
		if string(reply) == "STORED\r\n" {
			return ""
		}
		return "STORED"
	}
	if string(reply) == "END\r\n" {
		return ""
	}
	k := e.args[1]
	if key, end := blockOf(reply, 0); key == k && string(reply[end:]) == "END\r\n" {
		_, next, _ := scanLine(reply, 0)
		if v := string(reply[next : end-2]); c.w.fits(e, v) && string(reply[:next]) == "VALUE "+k+" 0 "+itoa(len(v))+"\r\n" {
			return ""
		}
	}
	return "a value that this key has had since"
}

// statsServers judges the reply to "stats servers": what each server says, in the order of some topology since.
func (c *client) statsServers(e *expect, reply []byte) string {
	want := ""
	for _, era := range c.w.erasSince(e.since) {
		want = ""
		for _, i := range era.servers {
			want += "STAT s" + itoa(i) + " pid " + itoa(i) + "\r\nSTAT s" + itoa(i) + " version 1.6.18\r\n"
		}
		if want += "END\r\n"; string(reply) == want {
			return ""
		}
	}
	return short(want)
}
