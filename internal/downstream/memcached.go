package downstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// memcachedDialect is memcached's text and meta protocol.
//
// Every request that is forwarded has exactly one reply: the codec takes noreply and the flag q out of
// it, and the entry in the client's FIFO remembers what the client is not to see (hush).
type memcachedDialect struct{}

// maxLine bounds the lines that a memcached takes however they are cut, but for those of get and gets
// (memcached 1.6, proto_text.c, try_read_command_ascii): a longer one may make it hang up.
const maxLine = 2048

func (s *Session) memcachedLimits() memcached.Limits {
	return memcached.Limits{Bytes: s.Pool.RequestBytes, Arguments: s.Pool.Arguments, Line: maxLine}
}

func (memcachedDialect) requests(s *Session, b []byte) []byte {
	d := s.desk
	p, lim := &d.memcached, s.memcachedLimits()
	for len(b) > 0 && !s.ending {
		if s.skip > 0 {
			n := min(s.skip, int64(len(b)))
			s.skip -= n
			b = b[n:]
			continue
		}
		n, err := p.Next(b, &lim)
		if err != nil {
			p.Reset()
			s.protocolError(err)
			return nil
		}
		if n == 0 {
			return b
		}
		s.command(b[:n], &p.Request, false)
		if s.Stalled() {
			return s.kept(b, n)
		}
		b = b[n:]
	}
	return nil
}

func (memcachedDialect) takeOver(d *Desk, p *partial) {
	p.memcached, d.memcached = d.memcached, p.memcached
}

func (memcachedDialect) resume(s *Session, p *partial) (int, error) {
	lim := s.memcachedLimits()
	return p.memcached.Next(p.buf, &lim)
}

func (memcachedDialect) missing(p *partial, come int) int { return p.memcached.Missing(come) }

func (memcachedDialect) stored(s *Session, p *partial) {
	if s.command(p.buf, &p.memcached.Request, true) {
		p.buf = nil
	}
}

func (memcachedDialect) appendError(dst []byte, err error) []byte {
	var p *memcached.ProtocolError
	if errors.As(err, &p) {
		dst = append(dst, p.Text...)
	} else {
		dst = append(dst, "SERVER_ERROR "...)
		dst = append(dst, err.Error()...)
	}
	return append(dst, "\r\n"...)
}

func (memcachedDialect) full() string { return "ERROR Too many open connections\r\n" }

// command dispatches a whole request. If owned, b is a pool buffer, and taken says that it was given
// away.
func (s *Session) command(b []byte, r *memcached.Request, owned bool) (taken bool) {
	s.count(r.Op.Class())
	s.Key = message.Key{}
	s.skip = r.Skip
	if r.Op == memcached.Unknown && len(r.Tokens) > 0 && isHTTP(b[r.Tokens[0].Off:][:r.Tokens[0].Len]) {
		s.endHTTP()
		return false
	}
	if r.Problem != "" {
		s.counters.Inc(stats.RefusedCommands)
		if r.Op == memcached.Binary { // its client would not understand a line
			s.answerLocally(memcached.AppendBinaryError(s.desk.scratch[:0], b))
		} else {
			s.tell(r, r.Problem)
		}
		return false
	}
	if s.pause != PauseNone && s.pausesMemcached(r.Op) {
		s.putOff()
		return false
	}
	switch r.Op {
	case memcached.Get, memcached.Gets, memcached.Gat, memcached.Gats:
		if r.LastKey-r.FirstKey > 1 {
			s.getMany(b, r)
			return false
		}
	}
	if r.FirstKey == r.LastKey {
		s.keyless(b, r)
		return false
	}
	return s.forwardKey(s.serverOfKey(b, r, r.FirstKey), b, r, owned)
}

// tell answers a request here, unless its client does not want to see that.
func (s *Session) tell(r *memcached.Request, line string) {
	if r.Silent && r.Op.Hushes([]byte(line)) {
		return
	}
	reply := append(s.desk.scratch[:0], line...)
	s.answerLocally(append(reply, "\r\n"...))
}

// serverOfKey is the server of the key in token i. Where a key in base64 lives is decided by what it
// stands for: the same key may be asked for in plain.
func (s *Session) serverOfKey(b []byte, r *memcached.Request, i int) int {
	d, t := s.desk, r.Tokens[i]
	key := b[t.Off : t.Off+t.Len]
	if r.Base64 {
		if plain, ok := memcached.DecodeKey(d.key[:0], key); ok {
			d.key, key = plain[:0], plain
		}
	}
	return d.Router.Pick(s.Pool, key)
}

// noMemoryFor refuses a request when the worker's memory is used up.
func (s *Session) noMemoryFor(r *memcached.Request) bool {
	if !s.desk.full() {
		return false
	}
	s.counters.Inc(stats.MemoryRefused)
	s.tell(r, "SERVER_ERROR "+message.ErrMemory.Text)
	return true
}

// forwardKey sends a request with one key, or with several of one server.
func (s *Session) forwardKey(server int, b []byte, r *memcached.Request, owned bool) (taken bool) {
	d := s.desk
	if s.noMemoryFor(r) {
		return false
	}
	// What is stripped cannot be looked at again, so it is asked first.
	if r.Silent && d.Owner.Judged(s, server) {
		s.putOff()
		return false
	}
	t := message.Ticket{Client: s.ID, Sequence: s.inFlight.pushWaiting(&d.rings)}
	if r.Data >= 0 {
		t.Fragment = message.WithData
	}
	if missable := s.Pool.MissOnFailure && r.Op.Miss() != ""; r.Silent || missable {
		e := s.inFlight.find(t.Sequence)
		e.remember(r)
		if !r.Silent && r.Echoes(b) {
			e.hush = echoing
			e.body = r.AppendMiss(d.Pool.Get(r.Line+r.Tokens[1].Len+len(" b")), b)
			s.stored += int64(len(e.body))
		}
	}
	// A large one goes in its buffer, without being copied. A server skips spaces, but before the name only so many.
	key, spaces := r.Tokens[r.FirstKey], 0
	if owned = owned && len(b) >= bytebuf.MapSize/2; owned {
		r.Blank(b)
	} else {
		stripped := r.Strip(b)
		b = trimLeft(stripped)
		spaces = len(stripped) - len(b)
	}
	s.Key.End = key.Off + key.Len - spaces
	if r.LastKey-r.FirstKey == 1 && !r.Base64 { // in base64 it is not what others call it
		s.Key.At = key.Off - spaces
		s.Key.Joinable = r.Op == memcached.Get || r.Op == memcached.Gets
		s.Key.Mergeable = r.Op == memcached.Get && bare(b, key, "get ") || r.Op == memcached.Gets && bare(b, key, "gets ")
	}
	switch err := d.Owner.Send(s, server, t, b, owned); err {
	case nil:
	case message.ErrVerdict:
		s.takeBack()
		return false
	default:
		s.Fail(t, err)
	}
	return owned
}

// bare says that a request is nothing but verb and key, with the line's end that most clients send.
func bare(b []byte, key memcached.Arg, verb string) bool {
	return key.Off == len(verb) && len(b) == key.Off+key.Len+len("\r\n")
}

func trimLeft(b []byte) []byte {
	for b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// getMany asks every server for its keys, all at once.
func (s *Session) getMany(b []byte, r *memcached.Request) {
	d := s.desk
	servers, one := d.servers[:0], true
	for i := r.FirstKey; i < r.LastKey; i++ {
		servers = append(servers, int32(s.serverOfKey(b, r, i)))
		one = one && servers[len(servers)-1] == servers[0]
	}
	d.servers = servers
	longest := maxLine
	if r.Op == memcached.Get || r.Op == memcached.Gets {
		longest = 0
	}
	if one && (longest == 0 || len(b) <= longest || servers[0] < 0) {
		s.forwardKey(int(servers[0]), b, r, false)
		return
	}
	if s.noMemoryFor(r) {
		return
	}
	last := r.Tokens[r.FirstKey-1]
	prefix := b[r.Tokens[0].Off : last.Off+last.Len]
	s.sendGroup(d.splitter.SplitKeys(d.Pool, prefix, b, r.Tokens[r.FirstKey:r.LastKey], servers, len(s.Pool.Servers), longest), r)
}

// keyless dispatches what concerns the connection, the proxy or every server.
func (s *Session) keyless(b []byte, r *memcached.Request) {
	switch r.Op {
	case memcached.Version:
		s.tellLocally(r, "VERSION "+memcached.ProtocolVersion)
	case memcached.Verbosity:
		s.tellLocally(r, "OK")
	case memcached.MetaNoop: // in its turn, so behind every server
		s.counters.Inc(stats.LocalReplies)
		s.answerBehindAll("MN\r\n")
	case memcached.Quit:
		s.leave()
	case memcached.FlushAll:
		if !s.Pool.FlushAll {
			s.counters.Inc(stats.RefusedCommands)
			s.tell(r, "CLIENT_ERROR flush_all not allowed")
			return
		}
		for i := range s.Pool.Servers { // asked first: what was stripped cannot be put off
			if s.judged(i) {
				return
			}
		}
		s.everywhere(trimLeft(r.Strip(b)), false, r)
	case memcached.Stats:
		s.statistics(b, r)
	default:
		panic("downstream: a memcached command without keys has no answer")
	}
}

// tellLocally answers a request that no server is needed for.
func (s *Session) tellLocally(r *memcached.Request, line string) {
	s.counters.Inc(stats.LocalReplies)
	s.tell(r, line)
}

// everywhere asks every server of the pool.
func (s *Session) everywhere(request []byte, numbers bool, r *memcached.Request) {
	if d := s.desk; !s.noMemoryFor(r) {
		s.sendGroup(d.splitter.Every(d.Pool, request, s.Pool.Servers, numbers), r)
	}
}

var (
	// serverStatistics are the statistics that a memcached tells without being changed, in lines of STAT.
	serverStatistics = []string{"settings", "items", "slabs", "sizes"}
	// oneServers are what else a memcached knows behind stats.
	oneServers = []string{"reset", "detail", "conns", "extstore"}
)

// statistics answers stats with the proxy's own numbers, and "stats servers" with those of the servers,
// each name after its server's.
func (s *Session) statistics(b []byte, r *memcached.Request) {
	word := func(i int) string {
		if i >= len(r.Tokens) {
			return ""
		}
		return string(b[r.Tokens[i].Off : r.Tokens[i].Off+r.Tokens[i].Len])
	}
	which := word(2)
	switch {
	case len(r.Tokens) == 1:
		s.counters.Inc(stats.LocalReplies)
		if !s.learn(AskCounts) {
			return
		}
		s.answerLocally(s.appendStatistics(s.desk.scratch[:0]))
	case word(1) == "servers" && len(r.Tokens) == 2:
		s.everywhere([]byte("stats\r\n"), true, r)
	case word(1) == "servers" && len(r.Tokens) == 3 && slices.Contains(serverStatistics, which):
		s.everywhere([]byte("stats "+which+"\r\n"), true, r)
	case word(1) == "servers" || slices.Contains(serverStatistics, word(1)) || slices.Contains(oneServers, word(1)):
		s.counters.Inc(stats.RefusedCommands)
		s.tell(r, "CLIENT_ERROR the proxy has: stats, stats servers, stats servers "+strings.Join(serverStatistics, "|"))
	default:
		s.counters.Inc(stats.RefusedCommands)
		s.tell(r, "ERROR")
	}
}

// appendStatistics appends the numbers of the pool under memcached's names, and under the proxy's own.
func (s *Session) appendStatistics(dst []byte) []byte {
	line := func(name string, n uint64) {
		dst = fmt.Appendf(dst, "STAT %s %d\r\n", name, n)
	}
	c := &s.desk.view.Counts
	line("uptime", uint64(s.desk.Now.Sub(s.desk.Started)/time.Second))
	dst = append(dst, "STAT version "+memcached.ProtocolVersion+"\r\n"...)
	line("curr_connections", c[stats.ClientsAccepted]-c[stats.ClientsClosed])
	line("total_connections", c[stats.ClientsAccepted])
	for i, row := range stats.PoolTable {
		line(row.Name, c[i])
	}
	return append(dst, "END\r\n"...)
}
