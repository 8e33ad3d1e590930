package fragment

import (
	"math"

	"github.com/cashew-proxy/cashew/internal/resp"
)

// arrayShape is MGET: each server answers with an array of its keys' values, and the client gets one
// array in the order of its keys.
var arrayShape = shape{step: 1, accept: acceptArray, append: appendArray, refusal: redisError}

// acceptArray checks that the reply has one value or nil for every key of the fragment, notes how long each is,
// and leaves the cursor at the first.
func acceptArray(g *Group, f *Fragment) bool {
	count, at := header(f.reply, 0, '*')
	if at == 0 || count != f.keys {
		return false
	}
	f.cursor = at
	for i := range g.blocks[f.first : f.first+f.keys] {
		next := element(f.reply, at)
		if next == 0 || next-at > math.MaxUint32 {
			return false
		}
		g.blocks[f.first+i] = uint32(next - at)
		at = next
	}
	return at == len(f.reply)
}

func appendArray(g *Group, dst []byte) []byte { return g.appendBlocks(resp.AppendArray(dst, g.keys)) }

// appendBlocks appends the keys' parts of the replies in the order of the keys.
func (g *Group) appendBlocks(dst []byte) []byte {
	for _, i := range g.of {
		f := &g.Fragments[i]
		end := f.cursor + int(g.blocks[f.first])
		f.first++
		dst = append(dst, f.reply[f.cursor:end]...)
		f.cursor = end
	}
	return dst
}

// element returns the place behind the bulk string or nil at b[i:], 0 if there is none. RESP3 has a nil of its
// own.
func element(b []byte, i int) int {
	if i+3 <= len(b) && b[i] == '_' {
		return i + 3
	}
	size, next := header(b, i, '$')
	switch {
	case next == 0:
		return 0
	case size < 0:
		return next
	case next+size+2 > len(b):
		return 0
	}
	return next + size + 2
}

// header reads a count or length at b[i:]; -1 stands for nil. The reply parser has seen the bytes:
// what it let pass needs no second check but of the type. next is 0 for another type.
func header(b []byte, i int, kind byte) (n, next int) {
	if i+4 > len(b) || b[i] != kind {
		return 0, 0
	}
	i++
	if b[i] == '-' {
		return -1, i + 4
	}
	for b[i] != '\r' {
		n = n*10 + int(b[i]-'0')
		i++
	}
	return n, i + 2
}
