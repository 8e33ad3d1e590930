package downstream

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// appendInfo appends the line of CLIENT LIST for a client of pool. It has Redis' fields in Redis' order: libraries parse
// it, some strictly. What a proxy does not have is 0, or what Redis says of a client without it.
func appendInfo(dst []byte, pool *topology.Pool, c Portrait, running string) []byte {
	field := func(name, value string) {
		dst = append(append(append(dst, name...), '='), value...)
		dst = append(dst, ' ')
	}
	number := func(name string, n int64) { field(name, strconv.FormatInt(n, 10)) }
	number("id", int64(c.Number))
	field("addr", c.address(pool))
	field("laddr", localAddress(pool.Listen))
	number("fd", -1)
	field("name", c.Name)
	number("age", int64(c.Age/time.Second))
	number("idle", int64(c.Idle/time.Second))
	field("flags", c.Flags)
	number("db", int64(c.Database))
	dst = append(dst, "sub=0 psub=0 ssub=0 multi=-1 "...)
	number("qbuf", c.Partial)
	dst = append(dst, "qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 "...)
	number("oll", int64(c.Pending))
	number("omem", c.Unsent)
	number("tot-mem", c.Held)
	field("events", "r")
	field("cmd", running)
	field("user", userOf(pool))
	number("redir", -1)
	number("resp", int64(c.Protocol))
	field("lib-name", c.Library)
	field("lib-ver", c.LibraryVersion)
	dst[len(dst)-1] = '\n'
	return dst
}

// flags are the letters by which Redis tells what a client is.
func (s *Session) flags() string {
	f := ""
	if s.ending {
		f += "c"
	}
	if s.noEvict {
		f += "e"
	}
	if s.noTouch {
		f += "T"
	}
	if f == "" {
		return "N"
	}
	return f
}

// address is where a client of pool comes from, as Redis writes it.
func (p *Portrait) address(pool *topology.Pool) string {
	if p.Peer.IsValid() {
		return p.Peer.String()
	}
	return localAddress(pool.Listen)
}

// localAddress is where the pool listens, as the configuration has it. The sockets of clients are not asked.
func localAddress(l topology.Listen) string {
	if l.Network == "unix" {
		return l.Address + ":0"
	}
	return l.Address
}

// userOf is the name under which all clients of a pool are known.
func userOf(p *topology.Pool) string {
	if p.User == "" {
		return "default"
	}
	return p.User
}

// listClients appends the answer to CLIENT LIST [TYPE type] [ID id …].
func (s *Session) listClients(dst []byte, spec *command.Spec, r *request) []byte {
	var ids []uint64
	none := false
	switch n := len(r.args); {
	case n == 2:
	case n == 4 && bytes.EqualFold(r.arg(2), []byte("type")):
		normal, known := isNormal(r.arg(3))
		if !known {
			return append(dst, unknownType(r.arg(3))...)
		}
		none = !normal
	case n > 3 && bytes.EqualFold(r.arg(2), []byte("id")):
		for i := 3; i < n; i++ {
			id, ok := integer(r.arg(i))
			if !ok {
				return append(dst, "-ERR Invalid client ID\r\n"...)
			}
			ids = append(ids, uint64(id))
		}
	default:
		return append(dst, syntaxError...)
	}
	var text []byte
	for _, c := range s.desk.view.Clients {
		if none || ids != nil && !slices.Contains(ids, c.Number) {
			continue
		}
		// What the others asked last is not noted: it would cost every request something.
		running := "NULL"
		if c.Number == s.Number {
			running = spec.Name
		}
		text = appendInfo(text, s.Pool, c, running)
	}
	return resp.AppendVerbatim(dst, string(text), s.lane.RESP3)
}

// isNormal says whether clients of a type are those that the proxy has, and whether the type is one.
func isNormal(name []byte) (normal, known bool) {
	switch string(bytes.ToLower(name)) {
	case "normal":
		return true, true
	case "master", "replica", "slave", "pubsub":
		return false, true
	}
	return false, false
}

func unknownType(name []byte) string {
	return "-ERR Unknown client type '" + printableText(name) + "'\r\n"
}

// selection is which clients CLIENT KILL means. All that is given must hold.
type selection struct {
	id           uint64
	addr, laddr  string
	skip         uint64 // the number of one that is not meant
	age          time.Duration
	nobody       bool // no client of the proxy can be meant
	wrongAddress bool // it is the old form: an address that must be there
}

func (k *selection) means(pool *topology.Pool, c *Portrait) bool {
	return !k.nobody && c.Number != k.skip && !c.Ending &&
		(k.id == 0 || c.Number == k.id) &&
		(k.addr == "" || c.address(pool) == k.addr) &&
		(k.laddr == "" || localAddress(pool.Listen) == k.laddr) &&
		c.Age >= k.age
}

// killClients answers CLIENT KILL, in its old form with an address and its new one with options. Others are
// cut off at once; whoever means itself has its answer first.
func (s *Session) killClients(r *request) {
	var k selection
	if len(r.args) == 3 {
		k = selection{addr: string(r.arg(2)), wrongAddress: true}
	} else {
		var reply string
		if k, reply = s.killOptions(r); reply != "" {
			s.answerLocally(append(s.desk.scratch[:0], reply...))
			return
		}
	}
	self := false
	var others []uint64
	for i := range s.desk.view.Clients {
		switch c := &s.desk.view.Clients[i]; {
		case !k.means(s.Pool, c):
		case c.Number == s.Number:
			self = true
		default:
			others = append(others, c.Number)
		}
	}
	s.desk.Owner.Kill(s.Pool, others)
	killed := len(others)
	if self {
		killed++
	}
	reply := s.desk.scratch[:0]
	switch {
	case !k.wrongAddress:
		reply = resp.AppendInt(reply, int64(killed))
	case killed == 0:
		reply = append(reply, "-ERR No such client\r\n"...)
	default:
		reply = append(reply, okay...)
	}
	s.answerLocally(reply)
	if self {
		s.end()
	}
}

// killOptions reads the options of CLIENT KILL, or returns what is wrong with them.
func (s *Session) killOptions(r *request) (k selection, reply string) {
	k.skip = s.Number
	for i := 2; i < len(r.args); i += 2 {
		if i+1 == len(r.args) {
			return k, syntaxError
		}
		value := r.arg(i + 1)
		switch string(bytes.ToLower(r.arg(i))) {
		case "id":
			id, ok := integer(value)
			if !ok || id < 1 {
				return k, "-ERR client-id should be greater than 0\r\n"
			}
			k.id = uint64(id)
		case "type":
			normal, known := isNormal(value)
			if !known {
				return k, unknownType(value)
			}
			k.nobody = k.nobody || !normal
		case "addr":
			k.addr = string(value)
		case "laddr":
			k.laddr = string(value)
		case "user":
			if string(value) != userOf(s.Pool) {
				return k, "-ERR No such user '" + printableText(value) + "'\r\n"
			}
		case "maxage":
			age, ok := integer(value)
			switch {
			case !ok:
				return k, "-ERR maxage is not an integer or out of range\r\n"
			case age <= 0:
				return k, "-ERR maxage should be greater than 0\r\n"
			}
			k.age = time.Duration(min(age, math.MaxInt64/int64(time.Second))) * time.Second
		case "skipme":
			switch {
			case bytes.EqualFold(value, []byte("yes")):
				k.skip = s.Number
			case bytes.EqualFold(value, []byte("no")):
				k.skip = 0
			default:
				return k, syntaxError
			}
		default:
			return k, syntaxError
		}
	}
	return k, ""
}
