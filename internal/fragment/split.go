package fragment

import (
	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
)

// Splitter makes groups and keeps the used ones for reuse.
type Splitter struct {
	free []*Group

	// Scratch of Split, by server index: its fragment plus one, 0 for none.
	fragmentOf []int32
}

// Step returns how many arguments each key of a split command takes, itself included.
func Step(s command.Shape) int { return shapeOf(s).step }

func shapeOf(s command.Shape) *shape {
	switch s {
	case command.SplitArray:
		return &arrayShape
	case command.SplitPairs:
		return &pairsShape
	case command.SplitSum:
		return &sumShape
	}
	panic("fragment: not a shape that is split")
}

// Split makes one fragment for every server in servers, which names the server of each key in the
// order of the keys; fragments are in the order of the servers. name is the command in lower case,
// args are the places in buf of all that follows it. The work is linear in the number of keys.
func (s *Splitter) Split(pool *bytebuf.Pool, sh command.Shape, name string, buf []byte, args []resp.Arg, servers []int32, count int) *Group {
	g := s.get()
	g.shape, g.keys = shapeOf(sh), len(servers)
	s.group(g, servers, count)
	step := g.shape.step
	// Sizes first, so that each request is built in a buffer of its final size. cursor counts here.
	for k, f := range g.of {
		fr := &g.Fragments[f]
		fr.keys++
		for _, a := range args[k*step : (k+1)*step] {
			fr.cursor += resp.BulkSize(a.Len)
		}
	}
	for i := range g.Fragments {
		f := &g.Fragments[i]
		n := 1 + f.keys*step
		f.Request = pool.Get(resp.HeaderSize(n) + resp.BulkSize(len(name)) + f.cursor)
		f.Request = resp.AppendArray(f.Request, n)
		f.Request = appendBulkString(f.Request, name)
		f.cursor = 0
	}
	for k, f := range g.of {
		fr := &g.Fragments[f]
		for _, a := range args[k*step : (k+1)*step] {
			fr.Request = resp.AppendBulk(fr.Request, buf[a.Off:a.Off+a.Len])
			if fr.KeyEnd == 0 {
				fr.KeyEnd = len(fr.Request) - len("\r\n")
			}
		}
	}
	g.waiting = len(g.Fragments)
	return g
}

// group fills g.Fragments with the servers in use, in their order, and g.of.
func (s *Splitter) group(g *Group, servers []int32, count int) {
	if len(s.fragmentOf) < count {
		s.fragmentOf = make([]int32, count)
	}
	of := s.fragmentOf[:count]
	for _, server := range servers {
		of[server] = 1
	}
	for server := range of {
		if of[server] != 0 {
			g.Fragments = append(g.Fragments, Fragment{Server: server})
			of[server] = int32(len(g.Fragments))
		}
	}
	for _, server := range servers {
		g.of = append(g.of, of[server]-1)
	}
	clear(of)
}

func (s *Splitter) get() *Group {
	if n := len(s.free) - 1; n >= 0 {
		g := s.free[n]
		s.free = s.free[:n]
		return g
	}
	return new(Group)
}

// The free list holds so many groups. Those of more than shortOf keys keep their lists of keys among the
// first few only, those of more than longOf not at all: 16 MiB in all, the lists of fragments apart.
const (
	freeGroups = 1024
	withLongOf = 64
	shortOf    = 1 << 10
	longOf     = 1 << 14
)

// Put takes a group back, with all its buffers.
func (s *Splitter) Put(pool *bytebuf.Pool, g *Group) {
	g.release(pool)
	if n := max(cap(g.of), cap(g.blocks)); n > longOf || n > shortOf && len(s.free) >= withLongOf {
		g.of, g.blocks = nil, nil
	}
	if len(s.free) < freeGroups {
		s.free = append(s.free, g)
	}
}

func appendBulkString(dst []byte, s string) []byte {
	dst = append(dst, '$')
	if len(s) >= 10 {
		dst = append(dst, byte('0'+len(s)/10))
	}
	dst = append(dst, byte('0'+len(s)%10), '\r', '\n')
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}
