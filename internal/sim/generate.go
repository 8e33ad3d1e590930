package sim

import (
	"strconv"
	"strings"
)

// generate makes some requests, up to as many as may be unanswered.
func (c *client) generate() {
	for n := draw(c.w.rng, c.w.cfg.Window); n > 0 && c.mayAsk(); n-- {
		c.left--
		c.made++
		c.w.dialect.request(c)
		c.w.busy = true
	}
}

// ask sends a request and notes what is expected.
func (c *client) ask(e expect) {
	e.name = strings.ToUpper(e.args[0])
	if c.hush {
		c.hush, e.silence = false, never
	}
	switch {
	case c.plainWords(e.args) && oneIn(c.rng, 25):
		c.inline(e.args)
	default:
		c.send.b = appendRequest(c.send.b, e.args)
	}
	if !c.authed && e.name != "AUTH" && e.name != "QUIT" && !e.odd {
		e.kind, e.remote, e.exact = exactly, false, "-NOAUTH Authentication required\r\n"
	}
	c.await(e)
}

// await notes what is expected of a request that is on its way.
func (c *client) await(e expect) {
	c.w.result.Requests++
	if e.kind == single && e.key == "" {
		e.key = e.args[1]
	}
	if e.silence == loud {
		c.owed++
	}
	e.flushed = c.w.flushed
	e.lane, e.asked = c.lane, c.w.now
	e.since = len(c.w.eras) - 1
	e.end = c.moved + c.send.size()
	c.waiting = append(c.waiting, e)
}

func (c *client) plainWords(args []string) bool {
	for _, a := range args {
		if a == "" || len(a) > 100 || strings.ContainsAny(a, "\"'\\\r\n\x00 ") {
			return false
		}
	}
	return true
}

// inline sends a request as a line, some words in quotes.
func (c *client) inline(args []string) {
	for i, a := range args {
		if i > 0 {
			c.send.b = append(c.send.b, "  "[:draw(c.rng, 2)]...)
		}
		if q := [...]string{"", "", "'", "\""}[c.rng.IntN(4)]; i > 0 {
			a = q + a + q
		}
		c.send.b = append(c.send.b, a...)
	}
	c.send.b = append(c.send.b, [...]string{"\r\n", "\n"}[c.rng.IntN(2)]...)
}

// request makes one request.
func (c *client) request() {
	if !c.authed && oneIn(c.rng, 2) {
		c.login()
		return
	}
	if c.w.cfg.Lanes && oneIn(c.rng, 3) {
		c.laneRequest()
		return
	}
	if c.hotKey() {
		c.sharedKey()
		return
	}
	switch n := c.rng.IntN(1000); {
	case n < 560:
		c.keyed()
	case n < 780:
		c.manyKeys()
	case n < 830:
		c.echoed()
	case n < 870:
		c.sharedKey()
	case n < 994 || c.w.cfg.Plain:
		c.proxyOnly()
	default:
		c.last()
	}
}

// word writes a command's name in some mixture of cases.
func (c *client) word(name string) string {
	switch c.rng.IntN(4) {
	case 0:
		return strings.ToLower(name)
	case 1:
		return name[:1] + strings.ToLower(name[1:])
	}
	return name
}

func (c *client) key() string {
	kinds := "tnl"
	if c.w.cfg.Lanes {
		kinds = "tnlhsz"
	}
	return c.prefix + kinds[c.rng.IntN(len(kinds)):][:1] + itoa(c.rng.IntN(c.w.cfg.Keys))
}

// fresh is a value that nobody else ever writes.
func (c *client) fresh() string {
	s := c.prefix + itoa(c.made) + ":"
	n := c.rng.IntN(c.w.cfg.Value)
	if c.w.cfg.Huge > 0 && c.authed && oneIn(c.rng, c.w.cfg.HugeOnce) {
		n = c.rng.IntN(c.w.cfg.Huge)
	}
	if n < 200 {
		return s + filler[:n]
	}
	return s + strings.Repeat(s, n/len(s))
}

// filler is what would mislead a proxy that looks at the insides of values.
var filler = "...\r\n$3\r\n+OK\r\n-ERR unknown\r\n*2\r\nEND\r\nHD q\r\nVALUE a 0 1\r\nSERVER_ERROR no\r\n" + strings.Repeat("~", 200)

// keyed is a command with one key.
func (c *client) keyed() {
	id := itoa(c.rng.IntN(c.w.cfg.Keys))
	one := func(args ...string) { c.ask(expect{kind: single, remote: true, args: args}) }
	k := c.prefix + "t" + id
	if oneIn(c.rng, 20) {
		k = c.key() // perhaps of another type
	}
	switch n := c.rng.IntN(100); {
	case n < 35:
		one(c.word("GET"), k)
	case n < 58:
		one(c.word("SET"), k, c.fresh())
	case n < 64:
		one("APPEND", k, c.fresh())
	case n < 68:
		one(c.word("STRLEN"), k)
	case n < 71:
		one("GETDEL", k)
	case n < 75:
		one("SETNX", k, c.fresh())
	case n < 84:
		one(c.word("INCR"), c.prefix+"n"+id)
	case n < 86:
		one("SET", c.prefix+"n"+id, strconv.FormatInt(c.rng.Int64N(1<<50)-1<<49, 10))
	case n < 93:
		one("LPUSH", c.prefix+"l"+id, c.fresh())
	default:
		one(c.word("LRANGE"), c.prefix+"l"+id, "0", "-1")
	}
}

// manyKeys is a command that may have to be split.
func (c *client) manyKeys() {
	n := draw(c.rng, 8)
	if oneIn(c.rng, 40) && c.authed {
		n = draw(c.rng, 200)
	}
	if !c.authed {
		n = min(n, 4) // ten arguments are all that is read before AUTH
	}
	var args []string
	switch c.rng.IntN(8) {
	case 0, 1, 2:
		args = []string{c.word("MGET")}
	case 3, 4:
		args = []string{c.word("MSET")}
		for range n {
			args = append(args, c.prefix+"t"+itoa(c.rng.IntN(c.w.cfg.Keys+1)), c.fresh())
		}
		c.ask(expect{kind: pairs, remote: true, args: args})
		return
	default:
		args = []string{c.word([]string{"DEL", "UNLINK", "EXISTS", "TOUCH", "EXISTS"}[c.rng.IntN(5)])}
	}
	for range n {
		k := c.key()
		if oneIn(c.rng, 10) {
			k = c.prefix + "missing" + itoa(c.rng.IntN(1000))
		}
		args = append(args, k)
	}
	kind := sum
	if strings.EqualFold(args[0], "MGET") {
		kind = array
	}
	c.ask(expect{kind: kind, remote: true, args: args})
}

// echoed is a command whose reply repeats its arguments, from the server of its keys or any.
func (c *client) echoed() {
	args := []string{"EVAL", "return it", "0", c.fresh()}
	switch n := c.rng.IntN(5); {
	case n == 0 && c.authed:
		c.ask(expect{kind: exactly, remote: true, exact: commandReply, args: []string{"COMMAND"}})
		return
	case n < 3:
		args = []string{"EVAL", "nested", "1", c.key(), c.fresh()}
	case n == 3 && !c.w.cfg.Plain:
		a, b := c.key(), c.key()
		args = []string{"EVAL", "two", "2", a, b, c.fresh()}
		switch {
		case c.w.cfg.FirstKey:
		case c.w.keysMove():
			c.ask(expect{kind: twoKeys, remote: true, exact: string(appendEval(nil, args, c.lane.resp3)), args: args})
			return
		case c.w.owner(a) != c.w.owner(b):
			c.ask(expect{kind: exactly, exact: crossServer, args: args})
			return
		}
	}
	c.ask(expect{kind: exactly, remote: true, exact: string(appendEval(nil, args, c.lane.resp3)), args: args})
}

// hotKey says that the next request is for what all ask for: so that there are reads to be joined where they are.
func (c *client) hotKey() bool { return c.w.cfg.JoinReads && oneIn(c.rng, 3) }

// readsShared says whether a command on a shared key reads.
func (c *client) readsShared() bool {
	if c.w.cfg.JoinReads {
		return !oneIn(c.rng, 8)
	}
	return oneIn(c.rng, 2)
}

// sharedKey is a command on a key that all clients use.
func (c *client) sharedKey() {
	k := "shared" + itoa(c.rng.IntN(3))
	if c.w.cfg.Plain {
		k = c.prefix + k
	}
	if c.readsShared() {
		c.ask(expect{kind: common, remote: true, args: []string{"GET", k}})
		return
	}
	v := c.share(k)
	c.ask(expect{kind: common, remote: true, args: []string{"SET", k, v}})
}

// proxyOnly is a request that the proxy answers without a server, or does not answer.
func (c *client) proxyOnly() {
	local := func(exact string, args ...string) { c.ask(expect{kind: exactly, exact: exact, args: args}) }
	odd := func(exact string, args ...string) {
		c.ask(expect{kind: exactly, exact: exact, args: args, odd: true})
	}
	v := c.fresh()
	switch c.rng.IntN(14) {
	case 0, 1:
		local("+PONG\r\n", c.word("PING"))
	case 2:
		local(string(appendBulk(nil, v)), "PING", v)
	case 3, 4:
		local(string(appendBulk(nil, v)), c.word("ECHO"), v)
	case 5:
		odd("-ERR unknown command 'nonsuch', with args beginning with: 'a' 'b' \r\n", "nonsuch", "a", "b")
	case 6:
		odd("-ERR wrong number of arguments for 'get' command\r\n", c.word("GET"), c.key(), v)
	case 7:
		odd("-ERR wrong number of arguments for 'mset' command\r\n", "MSET", c.key(), "v", c.key())
	case 8:
		odd("-ERR wrong number of arguments for 'lrange' command\r\n", "LRANGE", c.key())
	case 9:
		local("+OK\r\n", "SELECT", itoa(c.lane.database))
	case 10:
		local("-ERR DB index is out of range\r\n", c.word("SELECT"), itoa(max(c.w.cfg.Databases, c.w.cfg.Database+1)))
	case 11:
		c.login()
	case 12:
		c.send.b = append(c.send.b, []string{"\r\n", "*0\r\n", "\n", "*-1\r\n"}[c.rng.IntN(4)]...)
	case 13:
		local("-ERR MULTI is not supported by the proxy\r\n", "MULTI")
	}
}

// login sends AUTH, mostly the right one.
func (c *client) login() {
	cfg := &c.w.cfg
	say := func(exact string, args ...string) { c.ask(expect{kind: exactly, exact: exact, args: args}) }
	switch {
	case cfg.Auth == "":
		say("-ERR Client sent AUTH, but no password is set\r\n", "AUTH", "x")
	case oneIn(c.rng, 8):
		say("-ERR invalid password\r\n", "AUTH", cfg.Auth+"!") // who is in already stays in
	case oneIn(c.rng, 3) && cfg.User != "":
		say("+OK\r\n", "AUTH", cfg.User, cfg.Auth)
		c.authed = true
	default:
		say("+OK\r\n", c.word("AUTH"), cfg.Auth)
		c.authed = true
	}
}

// last is a request after which the proxy closes, and perhaps some that it is not to answer.
func (c *client) last() {
	if oneIn(c.rng, 2) {
		c.ask(expect{kind: exactly, exact: "+OK\r\n", args: []string{c.word("QUIT")}})
	} else {
		c.send.b = append(c.send.b, "*2\r\n$3\r\nGET\r\n+PING\r\n"...)
		e := expect{kind: exactly, exact: "-ERR Protocol error: expected '$', got '+'\r\n", args: []string{"(malformed)"}}
		c.await(e)
	}
	c.ending = true
	if oneIn(c.rng, 2) {
		c.send.b = appendRequest(c.send.b, []string{"SET", c.key(), "after the end"})
	}
}
