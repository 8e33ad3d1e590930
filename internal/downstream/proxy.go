package downstream

import (
	"bytes"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// own is PROXY, the proxy's own command, for those who have nothing but a client of Redis. It is not in the table of
// Redis' commands: where a pool does not allow it, it is as unknown as to Redis.
var own = command.Spec{Name: "proxy", Arity: -2}

var ownSubcommands = []command.Spec{
	{Name: "proxy|explain", Arity: 3},
	{Name: "proxy|servers", Arity: 2},
	{Name: "proxy|stats", Arity: 2},
	{Name: "proxy|hot", Arity: 2},
	{Name: "proxy|help", Arity: 2},
}

const ownHelp = `
PROXY <subcommand> [<arg>]. Subcommands are:
EXPLAIN <key>
    Return on which server a key lives, and what is hashed for it.
HOT
    Return a line for each of the keys that are asked for most, by samples.
SERVERS
    Return a line for each server of the pool.
STATS
    Return a line for each counter of the pool.
HELP
    Prints this help.
`

// ownCommand answers PROXY if the pool allows it. It reports false, and has done nothing, for any other command. A
// pause does not concern it: it is what one looks with meanwhile.
func (s *Session) ownCommand(r *request) bool {
	if !s.Pool.OwnCommand || !bytes.EqualFold(r.arg(0), []byte("proxy")) {
		return false
	}
	dst := s.desk.scratch[:0]
	if !own.Accepts(len(r.args)) {
		s.refuse(command.AppendArity(dst, &own))
		return true
	}
	for i := range ownSubcommands {
		spec := &ownSubcommands[i]
		if !bytes.EqualFold(r.arg(1), []byte(spec.Name[len("proxy|"):])) {
			continue
		}
		switch {
		case !spec.Accepts(len(r.args)):
			s.refuse(command.AppendArity(dst, spec))
		case !s.authed:
			s.counters.Inc(stats.Unauthenticated)
			s.answerLocally(append(dst, "-NOAUTH Authentication required\r\n"...))
		default:
			s.counters.Inc(stats.LocalReplies)
			if !s.learn(askedBy(spec)) {
				return true
			}
			s.answerLocally(s.answerOwn(dst, spec, r))
			s.desk.view = View{}
		}
		return true
	}
	s.refuse(command.AppendUnknownSubcommand(dst, r.arg(0), r.arg(1)))
	return true
}

// answerOwn answers a subcommand. It is no table of functions: a request that one is called with would be allocated, and
// so would every other.
func (s *Session) answerOwn(dst []byte, spec *command.Spec, r *request) []byte {
	switch spec.Name {
	case "proxy|explain":
		return s.explain(dst, r.arg(2))
	case "proxy|servers":
		return s.listServers(dst)
	case "proxy|stats":
		return s.listCounters(dst)
	case "proxy|hot":
		return s.listHotKeys(dst)
	default:
		return appendHelp(dst, ownHelp)
	}
}

// explain tells where a key lives: nowhere in particular with the random distribution, and then server and address
// are null.
func (s *Session) explain(dst, key []byte) []byte {
	resp3 := s.lane.RESP3
	e := route.Explain(s.Pool, key)
	dst = resp.AppendMap(dst, 4, resp3)
	dst = resp.AppendBulk(resp.AppendBulkString(dst, "hashed"), e.Hashed)
	dst = resp.AppendInt(resp.AppendBulkString(dst, "hash"), int64(e.Hash))
	if e.Server == nil {
		dst = resp.AppendNull(resp.AppendBulkString(dst, "server"), resp3)
		return resp.AppendNull(resp.AppendBulkString(dst, "address"), resp3)
	}
	dst = appendPair(dst, "server", e.Server.Name)
	return appendPair(dst, "address", e.Server.Address)
}

// listCounters has the pool's counters, each as in INFO.
func (s *Session) listCounters(dst []byte) []byte {
	dst = resp.AppendArray(dst, len(stats.PoolTable))
	for i, row := range stats.PoolTable {
		dst = resp.AppendBulkString(dst, row.Name+":"+strconv.FormatUint(s.desk.view.Counts[i], 10))
	}
	return dst
}

// listHotKeys has a line for each, with its part of all requests in percent.
func (s *Session) listHotKeys(dst []byte) []byte {
	keys, samples := s.desk.view.HotKeys, s.desk.view.Samples
	dst = resp.AppendArray(dst, len(keys))
	for _, k := range keys {
		share := strconv.FormatFloat(100*float64(k.Weight)/float64(max(samples, 1)), 'f', 1, 64)
		dst = resp.AppendBulkString(dst, "share="+share+" samples="+strconv.FormatUint(k.Weight, 10)+" key="+k.Key)
	}
	return dst
}

// listServers has a line for each server, in the form of CLIENT LIST.
func (s *Session) listServers(dst []byte) []byte {
	counters := s.desk.view.Servers
	dst = resp.AppendArray(dst, len(s.Pool.Servers))
	for i, server := range s.Pool.Servers {
		line := "name=" + server.Name + " address=" + server.Address + " state=live"
		if server.Ejected {
			line = "name=" + server.Name + " address=" + server.Address + " state=ejected"
		}
		for _, field := range []struct {
			name  string
			count stats.Counter
		}{
			{"connections", stats.ServerConnections},
			{"in_flight", stats.ServerInFlight},
			{"requests", stats.ServerRequests},
		} {
			line += " " + field.name + "=" + strconv.FormatUint(counters[i][field.count], 10)
		}
		dst = resp.AppendBulkString(dst, line)
	}
	return dst
}
