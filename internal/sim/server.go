package sim

import (
	"bytes"
	"math/rand/v2"
	"strings"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// server is a fake server.
type server struct {
	w     *world
	index int
	keys  []map[string]value // by database
	links []*link

	old  bool // it knows no HELLO
	hurt bool // a fault has struck it
	// rude: it has ended a connection during the handshake, and since then none in RESP3 was past it. To do so again would
	// look like what a server does that does not know HELLO.
	rude bool

	// Until when it is what a fault has made of it.
	down, silent, slow, mute, loading clock.Instant
}

// link is a connection of the proxy as its server sees it.
type link struct {
	pipe  *pipe
	in    queue
	need  int   // bytes of in with which it is worth looking for a request
	out   queue // replies that the socket has not taken
	ready clock.Instant

	lane                      lane
	authed, selected, greeted bool   // greeted: has sent a request of a client's
	held                      []byte // a reply that is to be sent after the next one: sabotage
	trick                     Fault  // what to do with the next reply
	mad                       bool   // has done it: nothing more of sense comes from here
}

func (s *server) step() {
	w := s.w
	if w.now < s.silent {
		w.wakeAt(s.silent)
		return
	}
	s.bury()
	live := s.links[:0]
	for _, l := range s.links {
		if s.stepLink(l); !l.pipe.done {
			live = append(live, l)
		}
	}
	clear(s.links[len(live):])
	s.links = live
}

// bury lets connections that the proxy has closed have done what came before the end, or some of it. It is done before
// others come to their turn: nobody could know what becomes of a key otherwise.
func (s *server) bury() {
	for _, l := range s.links {
		if p := l.pipe; p.closed && !p.done {
			l.in.add(p.out.bytes())
			s.serve(l, s.w.rng.IntN(4), true)
			p.done = true
		}
	}
}

func (s *server) stepLink(l *link) {
	w, p := s.w, l.pipe
	if p.done {
		return
	}
	if n := w.portion(p.out.size()); n > 0 {
		w.busy = true
		l.in.add(p.out.bytes()[:n])
		p.out.drop(n)
	}
	s.serve(l, draw(w.rng, 64), false)
	if n := min(w.portion(l.out.size()), w.cfg.Buffer-p.in.size()); n > 0 {
		w.busy = true
		p.in.add(l.out.bytes()[:n])
		l.out.drop(n)
	}
}

// serve answers up to limit requests; gone says that nobody listens any more.
func (s *server) serve(l *link, limit int, gone bool) {
	w := s.w
	for !l.mad && l.in.size() > 0 && l.in.size() >= l.need {
		if w.now < l.ready && !gone {
			w.wakeAt(l.ready)
			return
		}
		if limit == 0 {
			w.busy = w.busy || !gone
			return
		}
		limit--
		args, end, v := w.dialect.scanRequest(l.in.bytes())
		switch v {
		case unfinished:
			l.need = end
			return
		case malformed:
			w.fail("server %d got what is no request: %s", s.index, short(l.in.bytes()))
			return
		}
		l.in.drop(end)
		l.need = 0
		reply := w.dialect.execute(s, l, args)
		if gone || reply == nil {
			continue
		}
		s.reply(l, args, reply)
		if w.now < s.slow {
			l.ready = w.now + s.pause(w.rng)
		}
	}
}

// pause is how long a slow server takes for a request.
func (s *server) pause(r *rand.Rand) clock.Instant {
	longest := int64(20 * s.w.cfg.Tick)
	if t := s.w.cfg.Timeout; t > 0 {
		longest = int64(t) * 9 / 10
	}
	return clock.Instant(r.Int64N(longest))
}

// execute does what a request asks for and returns its reply.
func (s *server) execute(l *link, args []string) []byte {
	name := strings.ToUpper(args[0])
	if reply := s.greet(l, name, args); reply != "" {
		return []byte(reply)
	}
	s.checkKeys(l, name, args)
	if s.w.now < s.loading {
		return []byte(s.w.dialect.loading())
	}
	if wrong := s.mistake(l.lane, name, args); wrong != nil {
		return wrong
	}
	return s.run(l.lane, name, args)
}

// run runs a command of a client that is in a lane.
func (s *server) run(in lane, name string, args []string) []byte {
	keys := s.keys[in.database]
	switch name {
	case "COMMAND":
		return []byte(commandReply)
	case "EVAL":
		return appendEval(nil, args, in.resp3)
	case "MGET":
		reply := []byte("*" + itoa(len(args)-1) + "\r\n")
		for _, k := range args[1:] {
			reply = appendText(reply, keys[k], in.resp3)
		}
		return reply
	case "MSET":
		for i := 1; i+1 < len(args); i += 2 {
			keys[args[i]] = value{kind: text, text: args[i+1]}
		}
		return []byte("+OK\r\n")
	case "DEL", "UNLINK", "EXISTS", "TOUCH":
		return sumOf(keys, name, args[1:])
	}
	key := args[1]
	if name == "GET" && s.w.sabotage(StaleReply) {
		return appendBulk(nil, "what another key holds")
	}
	reply, v := exec(in.resp3, name, keys[key], args, nil)
	if name == "SET" {
		s.w.replaced(in.database, key, keys[key].text)
	}
	if v.kind == absent {
		delete(keys, key)
	} else {
		keys[key] = v
	}
	return reply
}

// checkKeys sees to it that every key is where it belongs.
func (s *server) checkKeys(l *link, name string, args []string) {
	first, last, step := 1, len(args), 1
	switch name {
	case "COMMAND":
		last = 0
	case "MSET":
		step = 2
	case "EVAL":
		first, last = 3, len(args)-1
		if s.w.cfg.FirstKey {
			last = min(last, 4)
		}
	case "MGET", "DEL", "UNLINK", "EXISTS", "TOUCH":
	default:
		last = 2
	}
	for i := first; i < last; i += step {
		s.checkOwner(l, args[i], args)
	}
}

func sumOf(keys map[string]value, name string, args []string) []byte {
	n := 0
	for _, k := range args {
		if keys[k].kind != absent {
			n++
			if name == "DEL" || name == "UNLINK" {
				delete(keys, k)
			}
		}
	}
	return appendInteger(nil, int64(n))
}

// reply sends a reply, or what a fault or sabotage makes of it.
func (s *server) reply(l *link, args []string, reply []byte) {
	w := s.w
	switch l.trick {
	case Garbage:
		l.trick, l.mad = 0, true
		nonsense := w.dialect.nonsense()
		l.out.add([]byte(nonsense[w.rng.IntN(len(nonsense))]))
		return
	case HalfAnswer:
		if s.spares(l) {
			break
		}
		l.trick, l.mad = 0, true
		l.out.add(reply[:w.rng.IntN(len(reply))])
		l.pipe.in.add(l.out.bytes())
		l.out.clear()
		s.end(l, oneIn(w.rng, 2))
		return
	case Surplus:
		// A reply too many can be told from the reply to the next request only while there is none.
		_, _, v := w.dialect.scanRequest(l.in.bytes())
		greeted := l.greeted || !w.cfg.Lanes && (w.cfg.Auth == "" || l.authed) && (w.cfg.Database == 0 || l.selected)
		if v == unfinished && l.pipe.out.size() == 0 && greeted && oneIn(w.rng, 2) {
			l.trick, l.mad = 0, true
			l.pipe.plugged = true
			l.out.add(append(reply, w.dialect.surplus()...))
			return
		}
	}
	s.replyBroken(l, args, reply)
}

// replyBroken is where servers go wrong in ways that no proxy can notice.
func (s *server) replyBroken(l *link, args []string, reply []byte) {
	w := s.w
	if l.held == nil && w.dialect.telling(args) && w.sabotage(SwapReplies) {
		l.held = reply
		return
	}
	if w.sabotage(LoseReply) {
		return
	}
	l.out.add(reply)
	if l.held != nil && !bytes.Equal(l.held, reply) {
		l.out.add(l.held)
		l.held = nil
	}
	if l.in.size() > 0 && w.sabotage(DoubleReply) {
		l.out.add(reply)
	}
}

// end ends a connection from the server's side, by a reset or a close.
func (s *server) end(l *link, reset bool) {
	w, p := s.w, l.pipe
	if p.closed || p.done {
		return
	}
	s.bury()
	l.in.add(p.out.bytes())
	s.serve(l, w.rng.IntN(4), true)
	p.in.add(l.out.bytes()[:w.rng.IntN(l.out.size()+1)])
	l.mad, p.done = true, true
	if reset {
		p.cut(errReset, w.rng.IntN(p.in.size()+1))
	} else {
		p.fin = true
	}
	s.rude = s.rude || !l.greeted
	w.excuse(errReset, errPipe, message.ErrEOF)
}

// spares says that ending the connection now would be rude once too often.
func (s *server) spares(l *link) bool { return s.rude && !l.greeted }
