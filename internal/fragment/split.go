package fragment

import (
	"slices"

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
// args are the places in buf of the client's word for it and of all that follows. The work is linear in the number of keys.
func (s *Splitter) Split(pool *bytebuf.Pool, sh command.Shape, name string, buf []byte, args []resp.Arg, servers []int32, count int) *Group {
	g := s.get()
	g.shape, g.keys = shapeOf(sh), len(servers)
	s.group(g, servers, count)
	step := g.shape.step
	// What a key needs is copied as the client sent it, from the end of what was before. Sizes first, so that each
	// request is built in a buffer of its final size. cursor counts here.
	at := behind(args[0])
	for k, i := range g.of {
		f, end := &g.Fragments[i], behind(args[(k+1)*step])
		f.keys++
		f.cursor += end - at
		at = end
	}
	for i := range g.Fragments {
		f := &g.Fragments[i]
		n := 1 + f.keys*step
		f.Request = pool.Get(resp.HeaderSize(n) + resp.BulkSize(len(name)) + f.cursor)
		f.Request = resp.AppendArray(f.Request, n)
		f.Request = resp.AppendBulkString(f.Request, name)
		f.cursor = 0
	}
	g.placeBlocks()
	at = behind(args[0])
	for k, i := range g.of {
		f, end := &g.Fragments[i], behind(args[(k+1)*step])
		if f.KeyEnd == 0 {
			f.KeyEnd = len(f.Request) + behind(args[k*step+1]) - len("\r\n") - at
		}
		f.Request = append(f.Request, buf[at:end]...)
		at = end
	}
	g.waiting = len(g.Fragments)
	return g
}

// placeBlocks gives the keys of each fragment their places in g.blocks.
func (g *Group) placeBlocks() {
	first := 0
	for i := range g.Fragments {
		f := &g.Fragments[i]
		f.first = first
		first += f.keys
	}
	g.blocks = slices.Grow(g.blocks[:0], first)[:first]
}

// behind is where what follows an argument begins.
func behind(a resp.Arg) int { return a.Off + a.Len + len("\r\n") }

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
