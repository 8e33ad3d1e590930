package downstream

import (
	"bytes"
	"strings"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/fragment"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// request is a whole request on its way through dispatch. bytes are borrowed unless owned.
type request struct {
	bytes []byte
	args  []resp.Arg
	owned bool // bytes are a pool buffer that whoever sends them may take
}

func (r *request) arg(i int) []byte {
	a := r.args[i]
	return r.bytes[a.Off : a.Off+a.Len]
}

// end is where an argument ends.
func (r *request) end(i int) int { return r.args[i].Off + r.args[i].Len }

// inlineRequest dispatches the request that an inline command stands for.
func (s *Session) inlineRequest(line []byte) {
	d := s.desk
	b, err := resp.AppendInline(d.line[:0], line)
	if err != nil {
		s.protocolError(err)
		return
	}
	d.line = b[:0]
	lim := s.redisLimits()
	lim.Unauthenticated = false // the length of the line is what bounds it
	if len(b) == 0 {
		s.dispatch(&request{})
		return
	}
	if _, err := d.inline.Next(b, &lim); err != nil {
		d.inline.Reset()
		s.protocolError(err)
		return
	}
	r := request{bytes: b, args: d.inline.Args}
	s.dispatch(&r)
}

// forward is the fast path: a command with one key and the right number of arguments goes to that
// key's server. It reports false, and has done nothing, for all that needs a closer look.
func (s *Session) forward(b []byte, args []resp.Arg) bool {
	d := s.desk
	if len(args) == 0 || !s.plain {
		return false
	}
	spec := command.Lookup(b[args[0].Off : args[0].Off+args[0].Len])
	if spec == nil || !spec.Simple || !spec.Accepts(len(args)) || d.full() {
		return false
	}
	s.count(spec.Class)
	key := args[spec.FirstKey]
	s.Key = message.Key{At: key.Off, End: key.Off + key.Len, Joinable: spec.Joinable}
	server := d.Router.Pick(s.Pool, b[key.Off:key.Off+key.Len])
	t := message.Ticket{Client: s.ID, Sequence: s.inFlight.pushWaiting(&d.rings)}
	switch err := d.Owner.Send(s, server, t, b, false); err {
	case nil:
	case message.ErrVerdict:
		s.takeBack()
	default:
		s.Fail(t, err)
	}
	return true
}

// takeBack undoes what was done for a request that is not sent yet, and stops there.
func (s *Session) takeBack() {
	s.drop(s.inFlight.at(s.inFlight.n - 1))
	s.inFlight.unpush()
	s.putOff()
}

// putOff stops at a request of which nothing is done yet.
func (s *Session) putOff() {
	s.uncount()
	s.stall()
}

// InUse is how many bytes the buffers of all workers hold.
func (d *Desk) InUse() int64 { return d.Pool.InUse() + d.Elsewhere }

// full says that the memory is used up.
func (d *Desk) full() bool { return d.MemoryLimit > 0 && d.InUse() >= d.MemoryLimit }

// dispatch decides what becomes of a request.
func (s *Session) dispatch(r *request) {
	if len(r.args) == 0 { // "*0", an empty line: Redis skips it too, and takes it for the request after CLIENT REPLY SKIP
		if s.replies == skipNext {
			s.hear(repliesOn)
		}
		return
	}
	if s.replies == skipNext {
		s.serveSkipped(r)
		return
	}
	s.serve(r)
}

// serve checks a request and has it answered.
func (s *Session) serve(r *request) {
	s.Key = message.Key{}
	d, argc := s.desk, len(r.args)
	spec := command.Lookup(r.arg(0))
	if spec == nil {
		s.count(stats.Other)
		if isHTTP(r.arg(0)) {
			s.endHTTP()
			return
		}
		if s.ownCommand(r) {
			return
		}
		s.refuse(command.AppendUnknown(d.scratch[:0], argc, r.arg))
		return
	}
	if spec.Container() {
		if spec = spec.Resolve(argc, r.arg); spec == nil {
			s.count(stats.Other)
			s.refuse(command.AppendUnknownSubcommand(d.scratch[:0], r.arg(0), r.arg(1)))
			return
		}
	}
	s.count(spec.Class)
	if !spec.Accepts(argc) {
		s.refuse(command.AppendArity(d.scratch[:0], spec))
		return
	}
	if !s.authed && !spec.Is(command.NoAuth) {
		s.counters.Inc(stats.Unauthenticated)
		s.answerLocally(append(d.scratch[:0], "-NOAUTH Authentication required\r\n"...))
		return
	}
	if s.pause != PauseNone && s.pauses(spec) {
		s.putOff()
		return
	}
	shape := spec.ShapeOf(argc, r.arg)
	if shape == command.Everywhere && s.lone(spec) {
		shape = command.AnyServer
	}
	switch shape {
	case command.OneKey:
		s.Key = message.Key{At: r.args[spec.FirstKey].Off, End: r.end(spec.FirstKey), Joinable: spec.Joinable}
		s.sendTo(d.Router.Pick(s.Pool, r.arg(spec.FirstKey)), r)
	case command.Local:
		s.local(spec, r)
	case command.SplitArray, command.SplitPairs, command.SplitSum:
		s.split(spec, r)
	case command.SameServer:
		s.sameServer(spec, r)
	case command.AnyServer:
		s.sendTo(d.Owner.AnyServer(s), r)
	default:
		s.notServed(spec, shape, r)
	}
}

// lone says that a command for all servers can go to the only one as it is. It cannot if it empties, or swaps,
// what others use, unless the pool allows it.
func (s *Session) lone(spec *command.Spec) bool {
	return len(s.Pool.Servers) == 1 && s.allows(spec)
}

// allows says whether a command may be served that a pool has to allow by name.
func (s *Session) allows(spec *command.Spec) bool {
	switch spec.Name {
	case "flushall":
		return s.Pool.FlushAll
	case "flushdb":
		return s.Pool.FlushDB
	case "swapdb":
		return s.Pool.SwapDB
	}
	return true
}

// notServed refuses a command that Redis has. One that operates a server, which a proxy does not name, is unknown
// here: by that error libraries and tools go on without it. Where the command is one that applications rely on,
// or a part of its container is served, unknown would be a riddle, and the error says what it is.
func (s *Session) notServed(spec *command.Spec, shape command.Shape, r *request) {
	reply := s.desk.scratch[:0]
	name, _, _ := strings.Cut(spec.Name, "|")
	switch {
	case shape == command.Everywhere && !s.allows(spec), name == "acl", name == "config":
		reply = command.AppendRefusal(reply, spec, "is not allowed through the proxy")
	case shape == command.Pinned && spec.Shape != shape:
		reply = command.AppendRefusal(reply, spec, "with BLOCK is not supported by the proxy")
	case shape == command.Everywhere, shape == command.Pinned, spec.Is(command.PubSub):
		reply = command.AppendRefusal(reply, spec, "is not supported by the proxy")
	default:
		reply = command.AppendUnknown(reply, len(r.args), r.arg)
	}
	s.refuse(reply)
}

// isHTTP recognises the lines of an HTTP request that a browser or a server can be tricked into
// sending here with commands in its body. Redis closes such connections too, without a word; memcached does not.
func isHTTP(name []byte) bool {
	return bytes.EqualFold(name, []byte("post")) || bytes.EqualFold(name, []byte("host:"))
}

func (s *Session) endHTTP() {
	s.counters.Inc(stats.ClientErrors)
	s.desk.Owner.ClientEvent(s, ProtocolError, "an HTTP request, which may be somebody else's attack")
	s.end()
}

// refuse answers a request that the proxy does not serve.
func (s *Session) refuse(reply []byte) {
	s.counters.Inc(stats.RefusedCommands)
	s.answerLocally(reply)
}

// sendTo sends the whole request to one server.
func (s *Session) sendTo(server int, r *request) {
	d := s.desk
	if s.overMemory() {
		return
	}
	t := message.Ticket{Client: s.ID, Sequence: s.inFlight.pushWaiting(&d.rings)}
	err := d.Owner.Send(s, server, t, r.bytes, r.owned)
	if err == message.ErrVerdict {
		s.takeBack()
		return
	}
	r.owned = false
	if s.muted() {
		s.inFlight.find(t.Sequence).hush = hidden
	}
	if err != nil {
		s.Fail(t, err)
	}
}

// overMemory refuses a request when the worker's memory is used up.
func (s *Session) overMemory() bool {
	d := s.desk
	if !d.full() {
		return false
	}
	s.counters.Inc(stats.MemoryRefused)
	s.answerLocally(s.dialect.appendError(d.scratch[:0], message.ErrMemory))
	return true
}

// sameServer sends a command whose keys must live together. Keys are found as the server would find
// them; where it would find none the request is the server's to refuse.
func (s *Session) sameServer(spec *command.Spec, r *request) {
	d := s.desk
	keys := spec.AppendKeys(d.keys[:0], len(r.args), r.arg)
	d.keys = keys[:0]
	if len(keys) == 0 {
		s.sendTo(d.Owner.AnyServer(s), r)
		return
	}
	s.Key.End = r.end(keys[0])
	server := d.Router.Pick(s.Pool, r.arg(keys[0]))
	if !s.Pool.FirstKey {
		for _, k := range keys[1:] {
			if d.Router.Pick(s.Pool, r.arg(k)) != server {
				s.counters.Inc(stats.CrossServer)
				s.answerLocally(append(d.scratch[:0], "-CROSSSLOT Keys in request don't hash to the same slot\r\n"...))
				return
			}
		}
	}
	s.sendTo(server, r)
}

// split sends a request with many keys to the servers that own them. If one server owns all, the
// request goes there as it is.
func (s *Session) split(spec *command.Spec, r *request) {
	d := s.desk
	servers, one := d.serversOf(s, r, spec)
	if one {
		s.Key.End = r.end(1)
		s.sendTo(int(servers[0]), r)
		return
	}
	if s.overMemory() {
		return
	}
	s.sendGroup(d.splitter.Split(d.Pool, spec.Shape, spec.Name, r.bytes, r.args, servers, len(s.Pool.Servers)), nil)
}

// judged stops the session at a request for a server that has just failed.
func (s *Session) judged(server int) bool {
	if !s.desk.Owner.Judged(s, server) {
		return false
	}
	s.putOff()
	return true
}

// sendGroup takes a place in line for a split request and sends its fragments. r is nil in Redis.
func (s *Session) sendGroup(g *fragment.Group, r *memcached.Request) {
	for i := range g.Fragments {
		if s.judged(g.Fragments[i].Server) {
			s.desk.splitter.Put(s.desk.Pool, g)
			return
		}
	}
	s.counters.Inc(stats.SplitRequests)
	s.counters.Add(stats.Fragments, uint64(len(g.Fragments)))
	e := entry{group: g}
	if r != nil {
		e.remember(r)
	}
	if s.muted() {
		e.hush = hidden
	}
	seq := s.inFlight.push(&s.desk.rings, e)
	for i := range g.Fragments {
		t := message.Ticket{Client: s.ID, Sequence: seq, Fragment: uint32(i)}
		b, owned := g.Take(i)
		s.Key.End = g.Fragments[i].KeyEnd
		err := s.desk.Owner.Send(s, g.Fragments[i].Server, t, b, owned)
		if err == message.ErrVerdict { // all servers are asked, so that none can take this one's place
			if err = message.ErrNoServer; owned {
				s.desk.Pool.Put(b)
			}
		}
		if err != nil {
			s.Fail(t, err)
			if e := s.inFlight.find(seq); e == nil || e.group != g {
				return // the group is gone; what was sent of it is answered to nobody
			}
		}
	}
}

// serversOf returns the server of each key of a split command, and whether it is one and the same.
func (d *Desk) serversOf(s *Session, r *request, spec *command.Spec) (servers []int32, one bool) {
	step := fragment.Step(spec.Shape)
	servers, one = d.servers[:0], true
	for i := 1; i < len(r.args); i += step {
		server := int32(d.Router.Pick(s.Pool, r.arg(i)))
		servers = append(servers, server)
		one = one && server == servers[0]
	}
	d.servers = servers
	return servers, one
}
