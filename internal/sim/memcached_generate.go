package sim

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// request makes one request, or a few that belong together.
func (m memcached) request(c *client) {
	if c.hotKey() {
		m.sharedKey(c)
		return
	}
	switch n := c.rng.IntN(1000); {
	case n < 240:
		m.retrieve(c)
	case n < 300:
		m.row(c)
	case n < 560:
		m.text(c)
	case n < 680:
		m.meta(c, "")
	case n < 800:
		m.batch(c)
	case n < 850:
		m.sharedKey(c)
	case n < 910:
		m.mistake(c)
	case n < 994 || c.w.cfg.Plain:
		m.proxyOnly(c)
	default:
		m.last(c)
	}
}

// send writes a request and notes what is expected.
func (memcached) send(c *client, e expect) {
	e.name = e.args[0]
	at, word := len(e.args), ""
	switch e.silence {
	case never:
		word = "noreply"
	case unlessNews:
		word = "q"
		first := firstFlag(e.name)
		at = first + c.rng.IntN(len(metaFlags(e.args))+1)
	}
	space := func() string {
		if oneIn(c.rng, 20) {
			return "   "
		}
		return " "
	}
	end := "\r\n"
	if oneIn(c.rng, 6) {
		end = "\n"
	}
	if oneIn(c.rng, 20) {
		c.send.b = append(c.send.b, "  "...)
	}
	c.send.b = appendCommand(c.send.b, e.args, at, word, space, end)
	c.await(e)
}

// perhaps is noreply once in n times.
func (c *client) perhaps(n int) silence {
	if oneIn(c.rng, n) {
		return never
	}
	return loud
}

// keyOf is a key of values, t, or of counters, n, mostly. Counters are never given another value than a
// number, see batch.
func (c *client) keyOf(kind string) string {
	if oneIn(c.rng, 20) {
		kind = "tn"[c.rng.IntN(2):][:1]
	}
	return c.prefix + kind + itoa(c.rng.IntN(c.w.cfg.Keys))
}

func (c *client) flags() string { return strconv.FormatUint(uint64(c.rng.Uint32()), 10) }

// exptime is mostly none, and sometimes over.
func (c *client) exptime() string {
	switch c.rng.IntN(12) {
	case 0:
		return "-1"
	case 1, 2, 3:
		return itoa(1000 + c.rng.IntN(1000))
	}
	return "0"
}

// uniqueOf is the number that a key's item has if nothing but the last set came in between, mostly. What
// is true then is the model's to know.
func (c *client) uniqueOf(key string) string {
	if n := c.wrote[key]; n > 0 && !oneIn(c.rng, 4) {
		return strconv.FormatUint(n, 10)
	}
	return strconv.FormatUint(1<<40+c.rng.Uint64N(1000), 10)
}

// retrieve asks for values.
func (m memcached) retrieve(c *client) {
	args := []string{[]string{"get", "get", "get", "gets", "gat", "gats"}[c.rng.IntN(6)]}
	if strings.HasPrefix(args[0], "gat") {
		args = append(args, c.exptime())
	}
	n := 1
	if oneIn(c.rng, 2) {
		n = draw(c.rng, 8)
	}
	if oneIn(c.rng, 60) {
		n = draw(c.rng, 200)
	}
	for range n {
		k := c.keyOf("t")
		if oneIn(c.rng, 8) {
			k = c.prefix + "missing" + itoa(c.rng.IntN(1000))
			if oneIn(c.rng, 4) {
				k += strings.Repeat("x", 200)
			}
		}
		args = append(args, k)
	}
	m.send(c, expect{kind: values, remote: true, args: args})
}

// row asks for values with several requests in a row, as many clients do.
func (m memcached) row(c *client) {
	verb := []string{"get", "get", "gets"}[c.rng.IntN(3)]
	for range 1 + draw(c.rng, 20) {
		k := c.keyOf("t")
		if oneIn(c.rng, 5) {
			k = c.prefix + "missing" + itoa(c.rng.IntN(1000))
		}
		m.send(c, expect{kind: values, remote: true, args: []string{verb, k}})
	}
}

// text is a text command with one key that is not for its value.
func (m memcached) text(c *client) {
	one := func(args ...string) {
		m.send(c, expect{kind: single, remote: true, args: args, silence: c.perhaps(4)})
	}
	k, v := c.prefix+"t"+itoa(c.rng.IntN(c.w.cfg.Keys)), c.fresh()
	switch n := c.rng.IntN(100); {
	case n < 40:
		f := c.flags()
		c.wrote[k] = unique(k, item(v, f, "0"))
		one("set", k, f, c.exptime(), itoa(len(v)), v)
	case n < 62:
		one([]string{"add", "replace", "append", "prepend"}[c.rng.IntN(4)], k, c.flags(), c.exptime(), itoa(len(v)), v)
	case n < 68:
		one("cas", k, c.flags(), c.exptime(), itoa(len(v)), c.uniqueOf(k), v)
	case n < 72:
		v = strconv.FormatUint(c.rng.Uint64()>>c.rng.IntN(64), 10)
		one("set", c.keyOf("n"), c.flags(), c.exptime(), itoa(len(v)), v)
	case n < 84:
		one([]string{"incr", "decr"}[c.rng.IntN(2)], c.keyOf("n"), strconv.FormatUint(c.rng.Uint64()>>(1+c.rng.IntN(63)), 10))
	case n < 92:
		one("delete", c.keyOf("t"))
	default:
		one("touch", k, c.exptime())
	}
}

// meta makes a meta command. With a token, which its reply repeats, it may be quiet.
func (m memcached) meta(c *client, token string) {
	e := expect{kind: single, remote: true, token: token}
	name := []string{"mg", "mg", "ms", "ms", "md", "ma"}[c.rng.IntN(6)]
	kind := "t"
	if name == "ma" {
		kind = "n"
	}
	k := c.prefix + kind + itoa(c.rng.IntN(c.w.cfg.Keys))
	var flags []string
	add := func(n int, f string) {
		if oneIn(c.rng, n) {
			flags = append(flags, f)
		}
	}
	e.key = k
	word, v := k, ""
	if oneIn(c.rng, 4) {
		word = base64.StdEncoding.EncodeToString([]byte(k))
		flags = append(flags, "b")
	}
	add(3, "k")
	e.args = []string{name, word}
	switch name {
	case "mg":
		for _, f := range []string{"v", "f", "t", "s", "c"} {
			add(2, f)
		}
		add(8, "T"+itoa(c.rng.IntN(3)*1000))
	case "ms":
		v = c.fresh()
		e.args = append(e.args, itoa(len(v)))
		add(2, "F"+c.flags())
		add(3, "T"+c.exptime())
		if oneIn(c.rng, 6) {
			flags = append(flags, "C"+c.uniqueOf(k))
		} else {
			add(2, "M"+"EAPRS"[c.rng.IntN(5):][:1])
		}
	case "md":
		add(6, "C"+c.uniqueOf(k))
	case "ma":
		add(2, "N"+itoa(c.rng.IntN(2)*1000))
		add(6, "T"+itoa(c.rng.IntN(3)*1000))
		add(3, "J"+itoa(c.rng.IntN(1000)))
		add(2, "D"+itoa(c.rng.IntN(1000)))
		add(2, "M"+"ID"[c.rng.IntN(2):][:1])
		for _, f := range []string{"v", "t", "c"} {
			add(2, f)
		}
	}
	if token != "" {
		flags = append(flags, token)
		if !oneIn(c.rng, 3) {
			e.silence = unlessNews
		}
	}
	c.rng.Shuffle(len(flags), func(i, k int) { flags[i], flags[k] = flags[k], flags[i] })
	e.args = append(e.args, flags...)
	if name == "ms" {
		e.args = append(e.args, v)
	}
	m.send(c, e)
}

// batch is what a client does that wants to hear of news only: commands of which most are quiet, each
// with a word that tells its reply from the others', and mn behind them. Counters hold numbers, always:
// an error about them would bear no such word.
func (m memcached) batch(c *client) {
	for range draw(c.rng, 8) {
		c.made++
		if oneIn(c.rng, 5) {
			k, v := c.prefix+"t"+itoa(c.rng.IntN(c.w.cfg.Keys)), c.fresh()
			m.send(c, expect{kind: single, remote: true, silence: never, args: []string{"set", k, "0", "0", itoa(len(v)), v}})
			continue
		}
		m.meta(c, "O"+itoa(c.made)+"."+itoa(c.number))
	}
	m.send(c, expect{kind: exactly, exact: "MN\r\n", args: []string{"mn"}})
}

// sharedKey is a command on a key that all clients use.
func (m memcached) sharedKey(c *client) {
	k := "shared" + itoa(c.rng.IntN(3))
	if c.w.cfg.Plain {
		k = c.prefix + k
	}
	if c.readsShared() {
		m.send(c, expect{kind: common, remote: true, args: []string{"get", k}})
		return
	}
	v := c.share(k)
	m.send(c, expect{kind: common, remote: true, silence: c.perhaps(4), args: []string{"set", k, "0", "0", itoa(len(v)), v}})
}

// say writes bytes as they are, to which the replies are as told.
func (c *client) say(raw string, replies ...string) {
	c.send.b = append(c.send.b, raw...)
	for _, exact := range replies {
		c.await(expect{kind: exactly, exact: exact + "\r\n", args: []string{raw}})
	}
	if len(replies) == 0 {
		c.await(expect{kind: exactly, silence: never, args: []string{raw}})
	}
}

// mistake is a request that is not served. What looks like data behind it is not served either.
func (m memcached) mistake(c *client) {
	const format = "CLIENT_ERROR bad command line format"
	k := c.keyOf("t")
	long := k + strings.Repeat("y", 251)
	data := "get " + k + "\r\nset " + k + " 0 0 1\r\nx"
	size := itoa(len(data))
	switch c.rng.IntN(24) {
	case 0:
		c.say("GET "+k+"\r\n", "ERROR")
	case 1:
		c.say("nonsense 1 2 3 noreply\r\n", "ERROR")
	case 2:
		c.say("get\n", "ERROR")
	case 3:
		c.say(" \r\n", "ERROR")
	case 4:
		c.say("get "+k+" "+long+"\r\n", format)
	case 5:
		c.say("set "+long+" 0 0 "+size+"\r\n"+data+"\r\n", format)
	case 6:
		c.say("set " + long + " 0 0 " + size + " noreply\r\n" + data + "\r\n")
	case 7:
		c.say("cas "+k+" 0 0 "+size+" x\r\n"+data+"\r\n", format)
	case 8:
		c.say("set "+k+" x 0 "+size+"\n"+data+"\r\n", format)
	case 9:
		c.say("set "+k+" 0 0 -1\r\n", format)
	case 10:
		c.say("set "+k+" 0 0 99999999999999999999\r\n", format)
	case 11:
		c.say("add "+k+" 0 0 2\r\nabcd\r\n", "CLIENT_ERROR bad data chunk", "ERROR")
	case 12:
		c.say("append "+k+" 0 0 2 noreply\r\nabcd\r\n", "ERROR")
	case 13:
		c.say("incr "+k+" x\r\n", "CLIENT_ERROR invalid numeric delta argument")
	case 14:
		c.say("decr " + k + " -1x noreply\r\n")
	case 15:
		c.say("touch "+k+" abc\n", "CLIENT_ERROR invalid exptime argument")
	case 16:
		c.say("delete "+k+" 5\r\n", format+".  Usage: delete <key> [noreply]")
	case 17:
		c.say("mg "+k+" v q v\r\n", "CLIENT_ERROR duplicate flag")
	case 18:
		c.say("ms "+k+" "+size+" q O"+strings.Repeat("o", 32)+"\r\n"+data+"\r\n", "CLIENT_ERROR opaque token too long")
	case 19:
		c.say("mg a*b b v\r\n", "CLIENT_ERROR error decoding key")
	case 20:
		c.say("ms "+k+" S4\r\n", format)
	case 21:
		c.say("shutdown\r\n", "CLIENT_ERROR shutdown not allowed")
	case 22:
		c.say("get "+k+"\x00"+"b\r\n", format)
	case 23:
		c.say("ms "+k+" 2 q\r\nabcd\r\n", "CLIENT_ERROR bad data chunk", "ERROR")
	}
}

// proxyOnly is a request that concerns the connection or every server.
func (m memcached) proxyOnly(c *client) {
	switch n := c.rng.IntN(16); {
	case n < 4:
		m.send(c, expect{kind: exactly, exact: "VERSION 1.6.18\r\n", args: []string{"version"}})
	case n < 8:
		m.send(c, expect{kind: exactly, exact: "MN\r\n", args: []string{"mn"}})
	case n < 10:
		m.send(c, expect{kind: exactly, exact: "OK\r\n", silence: c.perhaps(3), args: []string{"verbosity", "1"}})
	case n < 11:
		m.binary(c)
	case n < 12:
		m.send(c, expect{kind: single, remote: true, args: []string{"me", c.keyOf("t")}})
	case n < 13 && !c.w.cfg.Plain:
		m.send(c, expect{kind: numbers, args: []string{"stats"}})
	case n < 14 && !c.w.cfg.Plain:
		m.send(c, expect{kind: everyServer, remote: true, args: []string{"stats", "servers"}})
	case !c.w.cfg.FlushAll:
		m.send(c, expect{kind: exactly, exact: "CLIENT_ERROR flush_all not allowed\r\n", silence: c.perhaps(3), args: []string{"flush_all"}})
	case !c.w.cfg.Plain && oneIn(c.rng, 2):
		e := expect{kind: flush, remote: true, silence: c.perhaps(3), args: []string{"flush_all"}}
		if oneIn(c.rng, 2) {
			e.args = append(e.args, "0")
		}
		c.w.flushes++
		c.w.flushing++
		m.send(c, e)
	}
}

// binary is a request of the binary protocol, which has a refusal of its own.
func (memcached) binary(c *client) {
	const text = "Not supported: use the text or the meta protocol"
	c.send.b = append(c.send.b, "\x80\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcd\x00\x00\x00\x00\x00\x00\x00\x00"...)
	exact := "\x81\x0a\x00\x00\x00\x00\x00\x83\x00\x00\x00" + string(rune(len(text))) + "abcd\x00\x00\x00\x00\x00\x00\x00\x00" + text
	c.await(expect{kind: exactly, exact: exact, args: []string{"(binary)"}})
}

// last is a request after which the proxy closes, and perhaps one that it is not to answer.
func (m memcached) last(c *client) {
	if oneIn(c.rng, 2) {
		c.send.b = append(c.send.b, "quit\r\n"...)
	} else {
		c.say("touch "+c.keyOf("t")+strings.Repeat(" ", 9000)+"0\r\n", "CLIENT_ERROR line too long")
	}
	c.ending = true
	if oneIn(c.rng, 2) {
		c.send.b = append(c.send.b, "version\r\n"...)
	}
}
