package sim

import (
	"bytes"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/clock"
)

// expect is a request that waits for its reply, and how to judge it. It is judged against the
// client's model when its turn comes.
type expect struct {
	kind   expectation
	remote bool // a server has to answer: if one fails, an error may stand in
	odd    bool // is answered even before authentication
	name   string
	args   []string
	exact  string
}

type expectation uint8

const (
	exactly expectation = iota // exact is the reply
	single                     // one private key
	array                      // MGET of private keys
	pairs                      // MSET of private keys
	sum                        // DEL, EXISTS and their like of private keys
	common                     // GET or SET of a shared key
)

// cell is what a private key may hold: one value, unless a write's fate is not known.
type cell struct {
	states []value
	wild   bool // too many to keep
}

const mostStates = 48

func (c *client) cell(key string) *cell {
	x := c.model[key]
	if x == nil {
		x = &cell{states: []value{{}}}
		c.model[key] = x
	}
	return x
}

func (x *cell) set(v value) { x.states, x.wild = append(x.states[:0], v), false }

// add notes one more value that the key may hold.
func (x *cell) add(v value) {
	for i := range x.states {
		if x.states[i].equal(v) {
			return
		}
	}
	if len(x.states) >= mostStates {
		x.wild = true
		return
	}
	x.states = append(x.states, v)
}

// keep leaves the states that ok accepts. It reports whether any is left.
func (x *cell) keep(ok func(value) bool) bool {
	if x.wild {
		return true
	}
	n := 0
	for _, v := range x.states {
		if ok(v) {
			x.states[n] = v
			n++
		}
	}
	if n == 0 {
		return false
	}
	clear(x.states[n:])
	x.states = x.states[:n]
	return true
}

// check judges one reply.
func (c *client) check(e *expect, reply []byte) {
	if c.w.cfg.Trace {
		c.w.log("reply client%d %s to %s", c.number, short(reply), e.show())
	}
	want := c.judge(e, reply)
	if want == "" {
		c.w.result.Answers++
		return
	}
	if reply[0] == '-' && e.remote && c.excused(e, reply) {
		c.w.result.Errors++
		return
	}
	if c.w.cfg.MemoryLimit > 0 && string(reply) == "-ERR proxy memory limit reached\r\n" {
		c.w.result.Errors++
		c.doubt(e)
		return
	}
	c.fail("got %s to %s, want %s", short(reply), e.show(), want)
}

func (e *expect) show() string {
	s := ""
	for _, a := range e.args[:min(len(e.args), 12)] {
		s += short(a) + " "
	}
	return s
}

// excused says whether a fault explains the error, and makes the model doubt what was written.
func (c *client) excused(e *expect, reply []byte) bool {
	w := c.w
	if string(reply) == loadingReply {
		if e.kind != single {
			c.doubt(e)
		}
		return w.gullible && w.cfg.Faults&Loading != 0 && !w.strict
	}
	text := string(bytes.TrimSuffix(bytes.TrimPrefix(reply, []byte("-ERR ")), []byte("\r\n")))
	if !w.excused[text] {
		return false
	}
	bound := text == "server queue is full" || text == "proxy memory limit reached"
	if w.strict && !bound {
		return false
	}
	c.doubt(e)
	c.pause = w.now + clock.Instant(w.rng.Int64N(50e6)) // a connection is not tried again at once
	return true
}

// doubt makes room in the model for a request that a server may or may not have done.
func (c *client) doubt(e *expect) {
	switch e.kind {
	case single:
		x := c.cell(e.args[1])
		for _, v := range append([]value(nil), x.states...) {
			_, after := exec(e.name, v, e.args, nil)
			x.add(after)
		}
	case pairs:
		for i := 1; i+1 < len(e.args); i += 2 {
			c.cell(e.args[i]).add(value{kind: text, text: e.args[i+1]})
		}
	case sum:
		if e.name == "DEL" || e.name == "UNLINK" {
			for _, k := range e.args[1:] {
				c.cell(k).add(value{})
			}
		}
	}
}

// judge compares a reply with the model and moves the model on. It returns what was wanted instead,
// "" if the reply is right.
func (c *client) judge(e *expect, reply []byte) string {
	switch e.kind {
	case single:
		return c.judgeSingle(e, reply)
	case array:
		return c.judgeArray(e, reply)
	case sum:
		return c.judgeSum(e, reply)
	case common:
		return c.judgeCommon(e, reply)
	case pairs:
		if string(reply) != "+OK\r\n" {
			return "+OK"
		}
		for i := 1; i+1 < len(e.args); i += 2 {
			c.cell(e.args[i]).set(value{kind: text, text: e.args[i+1]})
		}
		return ""
	}
	if string(reply) == e.exact {
		return ""
	}
	return short(e.exact)
}

func (c *client) judgeSingle(e *expect, reply []byte) string {
	x := c.cell(e.args[1])
	if x.wild {
		if e.name == "SET" && string(reply) == "+OK\r\n" {
			x.set(value{kind: text, text: e.args[2]})
		}
		if reply[0] == '-' && string(reply) != wrongType && string(reply) != notInteger {
			return "no such error"
		}
		return ""
	}
	out, n, want := c.w.scratchReply[:0], 0, ""
	for _, v := range x.states {
		var after value
		out, after = exec(e.name, v, e.args, out[:0])
		if !bytes.Equal(out, reply) {
			if want == "" {
				want = short(out)
			}
			continue
		}
		x.states[n] = after
		n++
	}
	c.w.scratchReply = out[:0]
	if n == 0 {
		return want
	}
	kept := x.states[:n]
	x.states = x.states[:0:0]
	if n == 1 {
		x.states = kept
		return ""
	}
	for _, v := range kept {
		x.add(v)
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
		x, first := c.cell(k), ""
		ok := x.keep(func(v value) bool {
			out = appendText(out[:0], v)
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
		x := c.cell(k)
		if removes && contains(e.args[1:1+i], k) {
			continue
		}
		some, all := x.wild, !x.wild
		for _, v := range x.states {
			some = some || v.kind != absent
			all = all && v.kind != absent
		}
		if all {
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
			c.cell(k).set(value{})
		}
	}
	return ""
}

func contains(keys []string, k string) bool {
	for _, s := range keys {
		if s == k {
			return true
		}
	}
	return false
}

// judgeCommon: whoever wrote it, it was once written to this key.
func (c *client) judgeCommon(e *expect, reply []byte) string {
	if e.name == "SET" {
		if string(reply) == "+OK\r\n" {
			return ""
		}
		return "+OK"
	}
	if string(reply) == null {
		return ""
	}
	if line, next, v := scanLine(reply, 0); v == whole && line[0] == '$' {
		if c.w.shared[e.args[1]][string(reply[next:len(reply)-2])] {
			return ""
		}
	}
	return "a value that was written to this key"
}
