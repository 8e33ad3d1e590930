package fragment

import "github.com/cashew-proxy/cashew/internal/resp"

// arrayShape is MGET: each server answers with an array of its keys' values, and the client gets one
// array in the order of its keys.
var arrayShape = shape{step: 1, accept: acceptArray, append: appendArray, refusal: redisError}

// acceptArray checks that the reply has one value or nil for every key of the fragment, and leaves
// the cursor at the first.
func acceptArray(_ *Group, f *Fragment) bool {
	count, next := header(f.reply, 0, '*')
	if next == 0 || count != f.keys {
		return false
	}
	f.cursor = next
	i := next
	for range count {
		if i = element(f.reply, i); i == 0 {
			return false
		}
	}
	return i == len(f.reply)
}

func appendArray(g *Group, dst []byte) []byte {
	dst = resp.AppendArray(dst, g.keys)
	for _, i := range g.of {
		f := &g.Fragments[i]
		next := element(f.reply, f.cursor)
		dst = append(dst, f.reply[f.cursor:next]...)
		f.cursor = next
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
