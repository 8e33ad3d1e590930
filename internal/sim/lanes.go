package sim

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/cashew-proxy/cashew/internal/clock"
)

// lane is what a Redis takes into account of a connection: the database, and whether it speaks RESP3.
type lane struct {
	database int
	resp3    bool
}

// enter has the client's next requests be in a lane.
func (c *client) enter(to lane) {
	c.lane = to
	c.w.chosen[to] = true
}

// share returns a new value for a shared key, which anybody may see who looks into the client's database.
func (c *client) share(key string) string {
	in, v := lane{database: c.lane.database}, key+"="+c.fresh()
	if c.w.shared[in] == nil {
		c.w.shared[in] = map[string]clock.Instant{}
	}
	c.w.shared[in][key+v] = clock.Never
	return v
}

// replaced is told of a key's value when another one takes its place.
func (w *world) replaced(database int, key, v string) {
	if all := w.shared[lane{database: database}]; all[key+v] == clock.Never {
		all[key+v] = w.now
	}
}

// fits says whether a request may have read a shared key's value: it was written once, and not replaced before the
// request was made.
func (w *world) fits(e *expect, v string) bool {
	return w.shared[lane{database: e.lane.database}][e.args[1]+v] >= e.asked
}

// laneRequest is what only clients ask that change lanes: to be in another one, and what is answered
// otherwise there.
func (c *client) laneRequest() {
	one := func(args ...string) { c.ask(expect{kind: single, remote: true, args: args}) }
	id := itoa(c.rng.IntN(c.w.cfg.Keys))
	h, s, z := c.prefix+"h"+id, c.prefix+"s"+id, c.prefix+"z"+id
	name := "m" + itoa(c.rng.IntN(6))
	if c.w.cfg.Talk && oneIn(c.rng, 3) {
		c.talk()
		return
	}
	switch c.rng.IntN(16) {
	case 0, 1:
		one("HSET", h, name, c.fresh())
	case 2, 3:
		one(c.word("HGETALL"), h)
	case 4:
		one("SADD", s, name)
	case 5, 6:
		one("SMEMBERS", s)
	case 7:
		one("ZADD", z, itoa(c.rng.IntN(100))+".25", name)
	case 8, 9:
		one("ZSCORE", z, name)
	case 10, 11:
		c.lookAround()
	case 12, 13:
		c.selectDatabase()
	default:
		c.hello()
	}
}

// lookAround changes the protocol and looks at once at what was written before: it must be there already.
func (c *client) lookAround() {
	k, v := c.prefix+"t"+itoa(c.rng.IntN(c.w.cfg.Keys)), c.fresh()
	c.ask(expect{kind: single, remote: true, args: []string{"SET", k, v}})
	c.hello()
	if c.asking == nil {
		c.ask(expect{kind: single, remote: true, args: []string{"GET", k}})
	}
}

// selectDatabase asks for another database, mostly one that there is.
func (c *client) selectDatabase() {
	n, exact := c.rng.IntN(c.w.cfg.Databases), "+OK\r\n"
	word := itoa(n)
	switch c.rng.IntN(12) {
	case 0:
		word, exact = itoa(n+c.w.cfg.Databases), "-ERR DB index is out of range\r\n"
	case 1:
		word, exact = "one", "-ERR value is not an integer or out of range\r\n"
	}
	c.ask(expect{kind: exactly, exact: exact, args: []string{c.word("SELECT"), word}})
	if exact[0] == '+' && c.authed {
		c.enter(lane{n, c.lane.resp3})
	}
}

const (
	needsAuth = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> " +
		"option can be used to authenticate the client and select the RESP protocol version at the same time\r\n"
	wrongPassword = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
)

// hello says HELLO in one of its forms. The first thing that is wrong with it is what is answered.
func (c *client) hello() {
	cfg, to, authed := &c.w.cfg, c.lane, c.authed
	args, exact, called := []string{c.word("HELLO")}, "", c.name
	wrong := func(n int, text string) bool {
		if !oneIn(c.rng, n) {
			return false
		}
		exact = cmp.Or(exact, text)
		return true
	}
	if !oneIn(c.rng, 8) {
		switch to.resp3 = oneIn(c.rng, 2); {
		case wrong(20, "-NOPROTO unsupported protocol version\r\n"):
			args = append(args, "4")
		case wrong(20, "-ERR Protocol version is not an integer or out of range\r\n"):
			args = append(args, "three")
		case to.resp3:
			args = append(args, "3")
		default:
			args = append(args, "2")
		}
		if !authed && !oneIn(c.rng, 4) || oneIn(c.rng, 3) {
			user := cmp.Or(cfg.User, "default")
			if wrong(8, wrongPassword) {
				user = "nobody"
			}
			args = append(args, c.word("AUTH"), user, cmp.Or(cfg.Auth, "any"))
			authed = true
		}
		if oneIn(c.rng, 3) {
			name := c.prefix + "name"
			if wrong(8, "-ERR Client names cannot contain spaces, newlines or special characters.\r\n") {
				name = "a name"
			}
			called = name
			args = append(args, "SETNAME", name)
		}
		if wrong(20, "-ERR Syntax error in HELLO option 'AUTH'\r\n") {
			args = append(args, "AUTH", "x")
		}
	}
	if !authed {
		exact = cmp.Or(exact, needsAuth)
	}
	if exact != "" {
		c.ask(expect{kind: exactly, exact: exact, args: args, odd: true})
		return
	}
	took := offer{to, called}
	if cfg.OldServer && to.resp3 && !c.hush { // it depends on the answer
		c.asking = &took
	} else {
		defer took.take(c)
	}
	c.ask(expect{kind: exactly, exact: string(appendHello(nil, to.resp3, c.number+1)), args: args, odd: true})
}

// offer is what becomes of a client if its HELLO is answered by a map.
type offer struct {
	lane lane
	name string
}

func (o offer) take(c *client) {
	c.authed, c.name = true, o.name
	c.enter(o.lane)
}

// noProtocol is what HELLO 3 is answered while some server does not know RESP3, and what a request to that server is
// when the proxy does not know it yet.
const (
	noProtocol = "-NOPROTO unsupported protocol version\r\n"
	refused    = "-ERR server refused the connection: NOPROTO unsupported protocol version\r\n"
)

// heardHello is told of the reply to the request that a client waits for, and reports whether it was one to HELLO 3
// that is right.
func (c *client) heardHello(e *expect, reply []byte) bool {
	took := c.asking
	if took == nil || e != &c.waiting[len(c.waiting)-1] {
		return false
	}
	c.asking = nil
	if string(reply) == e.exact {
		took.take(c)
		return true
	}
	return string(reply) == noProtocol
}

// talk is what a client says of itself, or to all of them.
func (c *client) talk() {
	say := func(exact string, args ...string) { c.ask(expect{kind: exactly, exact: exact, args: args}) }
	switch c.rng.IntN(10) {
	case 0, 1:
		name := c.prefix + itoa(c.made)
		say("+OK\r\n", c.word("CLIENT"), c.word("SETNAME"), name)
		if c.authed {
			c.name = name
		}
	case 2, 3:
		exact := null(c.lane.resp3)
		if c.name != "" {
			exact = string(appendBulk(nil, c.name))
		}
		say(exact, "CLIENT", c.word("GETNAME"))
	case 4:
		say(string(appendInteger(nil, int64(c.number+1))), "CLIENT", "ID")
	case 5:
		say("+OK\r\n", "CLIENT", "PAUSE", itoa(c.rng.IntN(20)), []string{"ALL", "WRITE"}[c.rng.IntN(2)])
	case 6:
		say("+OK\r\n", "CLIENT", c.word("UNPAUSE"))
	case 7, 8:
		if !c.authed {
			return
		}
		c.hush = true
		say("", "CLIENT", c.word("REPLY"), "SKIP")
		c.hush = true
		c.keyed()
	default:
		c.ask(expect{kind: exactly, exact: "+RESET\r\n", args: []string{c.word("RESET")}, odd: true})
		c.authed, c.name = c.w.cfg.Auth == "", ""
		c.enter(lane{database: c.w.cfg.Database})
	}
}

// appendHello appends what the proxy answers to HELLO.
func appendHello(dst []byte, resp3 bool, id int) []byte {
	dst = appendMap(dst, 7, resp3)
	version := int64(2)
	if resp3 {
		version = 3
	}
	dst = appendBulk(appendBulk(dst, "server"), "redis")
	dst = appendBulk(appendBulk(dst, "version"), "7.0.0")
	dst = appendInteger(appendBulk(dst, "proto"), version)
	dst = appendInteger(appendBulk(dst, "id"), int64(id))
	dst = appendBulk(appendBulk(dst, "mode"), "standalone")
	dst = appendBulk(appendBulk(dst, "role"), "master")
	return append(appendBulk(dst, "modules"), "*0\r\n"...)
}

// greet answers the handshake. A request before it, or in a lane that no client has been in, is the proxy's
// mistake, and so are words of the handshake that come twice, late or in another order.
func (s *server) greet(l *link, name string, args []string) string {
	c := &s.w.cfg
	var want []string
	ok, reply := !l.greeted && !l.selected, "+OK\r\n"
	switch name {
	case "AUTH":
		ok = ok && !l.authed && !l.lane.resp3
		if want = []string{"AUTH", c.Auth}; c.User != "" {
			want = []string{"AUTH", c.User, c.Auth}
		}
		l.authed = true
	case "HELLO":
		if s.old {
			l.mad = true // what it says to the rest is of no interest
			return noProtocol
		}
		ok, reply = ok && !l.authed && !l.lane.resp3, "%2\r\n+server\r\n+redis\r\n+modules\r\n*0\r\n"
		if want = []string{"HELLO", "3"}; c.Auth != "" {
			want = append(want, "AUTH", cmp.Or(c.User, "default"), c.Auth)
		}
		l.authed, l.lane.resp3 = true, true
	case "SELECT":
		n, err := strconv.Atoi(args[1])
		ok = ok && err == nil && n > 0 && n < len(s.keys) && (c.Auth == "" || l.authed)
		want, l.selected = []string{"SELECT", itoa(n)}, true
		if ok {
			l.lane.database = n
		}
	default:
		if c.Auth != "" && !l.authed || !s.w.chosen[l.lane] {
			s.w.fail("server %d got %s before the handshake: %+v", s.index, name, l.lane)
		}
		l.greeted = true
		s.rude = s.rude && !l.lane.resp3
		return ""
	}
	if !ok || !slices.Equal(args, want) {
		s.w.fail("server %d got %q from %+v", s.index, args, l.lane)
	}
	return reply
}

// mistake is what sabotage makes of the reply to a command that only reads: that of another database, or in
// the other version of the protocol. It returns nil if there is none.
func (s *server) mistake(in lane, name string, args []string) []byte {
	which := s.w.cfg.Sabotage
	if which != WrongDatabase && which != WrongProtocol || !reads(name) || len(args) < 2 || strings.HasPrefix(args[1], "shared") {
		return nil
	}
	other := lane{in.database, !in.resp3}
	if which == WrongDatabase {
		other = lane{(in.database + 1) % len(s.keys), in.resp3}
	}
	if reply := s.run(other, name, args); !bytes.Equal(reply, s.run(in, name, args)) && s.w.sabotage(which) {
		return reply
	}
	return nil
}

// reads says that a command changes nothing.
func reads(name string) bool {
	switch name {
	case "GET", "MGET", "STRLEN", "LRANGE", "EXISTS", "TOUCH", "HGETALL", "SMEMBERS", "ZSCORE", "EVAL", "COMMAND":
		return true
	}
	return false
}
