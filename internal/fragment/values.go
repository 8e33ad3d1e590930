package fragment

import (
	"bytes"
	"math"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// valuesShape is memcached's get, gets, gat and gats: each server answers with a block for each of its
// keys that it has, and END; the client gets all blocks in the order of its keys, and one END.
var valuesShape = shape{step: 1, keeps: true, accept: acceptValues, append: appendValues, refusal: memcached.IsError}

// okShape is flush_all: every server answers OK, and so does the client's reply.
var okShape = shape{accept: acceptOKLine, append: appendOKLine, refusal: memcached.IsError}

// statsShape is stats of every server: lines of STAT and END. In the client's reply each name has its
// server's before it.
var statsShape = shape{accept: acceptStats, append: appendStats, refusal: memcached.IsError}

const (
	endLine = "END\r\n"
	okLine  = "OK\r\n"
	stat    = "STAT "
)

// SplitKeys makes the fragments of a request for the keys in buf. prefix is all that comes before the
// first of them. No fragment is longer than longest, unless that is 0; a server may then have several.
// The fragments keep their requests until the group ends: see Take.
func (s *Splitter) SplitKeys(pool *bytebuf.Pool, prefix, buf []byte, keys []memcached.Arg, servers []int32, count, longest int) *Group {
	g := s.get()
	g.shape, g.keys = &valuesShape, len(servers)
	s.group(g, servers, count)
	frame := len(prefix) + len("\r\n")
	// Sizes first; cursor counts here. A server's first fragment names the one that takes its keys now.
	for k, first := range g.of {
		size, f := 1+keys[k].Len, first
		if next := g.Fragments[first].next; next != 0 {
			f = next
		}
		if fr := &g.Fragments[f]; longest > 0 && fr.keys > 0 && frame+fr.cursor+size > longest {
			f = int32(len(g.Fragments))
			g.Fragments = append(g.Fragments, Fragment{Server: fr.Server})
			g.Fragments[first].next = f
		}
		g.of[k] = f
		g.Fragments[f].keys++
		g.Fragments[f].cursor += size
	}
	for i := range g.Fragments {
		f := &g.Fragments[i]
		f.Request = append(pool.Get(frame+f.cursor), prefix...)
		f.cursor, f.asked = 0, len(prefix)
	}
	g.placeBlocks()
	for k, f := range g.of {
		fr := &g.Fragments[f]
		fr.Request = append(fr.Request, ' ')
		fr.Request = append(fr.Request, buf[keys[k].Off:keys[k].Off+keys[k].Len]...)
		if fr.KeyEnd == 0 {
			fr.KeyEnd = len(fr.Request)
		}
	}
	for i := range g.Fragments {
		g.Fragments[i].Request = append(g.Fragments[i].Request, "\r\n"...)
	}
	g.waiting = len(g.Fragments)
	return g
}

// key returns the key in a fragment's request that begins at i, which is the space before it.
func (f *Fragment) key(i int) []byte {
	rest := f.Request[i+1:]
	if n := bytes.IndexByte(rest, ' '); n >= 0 {
		return rest[:n]
	}
	return rest[:len(rest)-len("\r\n")]
}

// acceptValues checks that the reply has no blocks but those of keys that were asked for, in their
// order, and notes how long each key's is.
func acceptValues(g *Group, f *Fragment) bool {
	at, asked := 0, f.asked
	got, n := memcached.Value(f.reply)
	for i := range f.keys {
		key := f.key(asked)
		asked += 1 + len(key)
		if n == 0 || n > math.MaxUint32 || !bytes.Equal(got, key) {
			g.blocks[f.first+i] = 0
			continue
		}
		g.blocks[f.first+i] = uint32(n)
		at += n
		got, n = memcached.Value(f.reply[at:])
	}
	return string(f.reply[at:]) == endLine
}

func appendValues(g *Group, dst []byte) []byte { return append(g.appendBlocks(dst), endLine...) }

// Miss makes the keys of fragment i missing, whatever has come of its reply. It reports false, and has
// done nothing, for requests that are not for keys' values.
func (g *Group) Miss(pool *bytebuf.Pool, i int) (Outcome, bool) {
	if g.shape != &valuesShape {
		return Waiting, false
	}
	f := &g.Fragments[i]
	f.reply = f.reply[:0]
	return g.Reply(pool, i, []byte(endLine), true), true
}

// Every makes one fragment for each server: request, whose reply is OK, or statistics if numbers.
func (s *Splitter) Every(pool *bytebuf.Pool, request []byte, servers []*topology.Server, numbers bool) *Group {
	g := s.get()
	g.shape = &okShape
	if numbers {
		g.shape = &statsShape
	}
	for i, server := range servers {
		g.Fragments = append(g.Fragments, Fragment{
			Server: i, Request: append(pool.Get(len(request)), request...), label: server.Name,
		})
	}
	g.waiting = len(g.Fragments)
	return g
}

func acceptOKLine(_ *Group, f *Fragment) bool { return string(f.reply) == okLine }

func appendOKLine(_ *Group, dst []byte) []byte { return append(dst, okLine...) }

func acceptStats(g *Group, f *Fragment) bool {
	lines := bytes.Count(f.reply, []byte(stat))
	g.extra += lines * (len(f.label) + 1)
	return bytes.HasPrefix(f.reply, []byte(stat)) && bytes.HasSuffix(f.reply, []byte(endLine)) || string(f.reply) == endLine
}

func appendStats(g *Group, dst []byte) []byte {
	for i := range g.Fragments {
		f := &g.Fragments[i]
		for line := range bytes.Lines(f.reply[:len(f.reply)-len(endLine)]) {
			dst = append(dst, stat...)
			dst = append(dst, f.label...)
			dst = append(dst, ' ')
			dst = append(dst, bytes.TrimPrefix(line, []byte(stat))...)
		}
	}
	return append(dst, endLine...)
}
