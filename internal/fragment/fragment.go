// Package fragment splits a request with many keys into one request per server, and coalesces the
// servers' replies into the one that the client expects.
//
// It is told the server of each key and sends nothing itself. A Group is one split request in
// flight; a Splitter makes them. Both are loop-confined. One file per shape: array.go for MGET,
// pairs.go for MSET, sum.go for DEL, UNLINK, TOUCH and EXISTS, values.go for memcached's get.
package fragment

import (
	"github.com/cashew-proxy/cashew/internal/bytebuf"
)

// shape is what distinguishes the kinds of split requests.
type shape struct {
	step   int  // arguments per key: the key and what belongs to it
	keeps  bool // fragments keep their requests: the reply is read by them
	accept func(g *Group, f *Fragment) bool
	append func(g *Group, dst []byte) []byte
	// refusal tells whether a reply is one of the protocol's errors.
	refusal func(reply []byte) bool
}

func redisError(reply []byte) bool { return len(reply) > 0 && reply[0] == '-' }

// Group is one request in fragments.
type Group struct {
	Fragments []Fragment // in the order of their servers

	shape   *shape
	keys    int
	waiting int      // fragments without a whole reply
	sum     int64    // of the replies that are numbers
	extra   int      // bytes of the client's reply beyond the servers'
	of      []int32  // the fragment of each key, where the order of keys matters
	blocks  []uint32 // the bytes of each key's value in its fragment's reply, by fragments
}

// Fragment is the part of a request that goes to one server.
type Fragment struct {
	Server  int
	Request []byte // a pool buffer, see Take
	KeyEnd  int    // where in it the first key ends; 0 if there are none

	keys   int
	reply  []byte // a pool buffer with what has come of the reply
	cursor int    // in reply: the next element
	asked  int    // in Request, where it is kept: the first key
	first  int    // its keys' first place in the group's blocks; when coalescing, the next one's
	next   int32  // the fragment that takes the server's keys since this one is full; 0 for none
	label  string // what its part of the reply is marked with
}

// Take returns the request of fragment i. If owned, it goes to whoever sends it; otherwise it is
// borrowed until the group ends.
func (g *Group) Take(i int) (request []byte, owned bool) {
	f := &g.Fragments[i]
	request = f.Request
	if g.shape.keeps {
		return request, false
	}
	f.Request = nil
	return request, true
}

// Outcome is what a fragment's reply does to its group.
type Outcome uint8

// The outcomes.
const (
	Waiting  Outcome = iota // more is to come
	Complete                // every fragment has its reply: Append gives the client's
	Failed                  // the server answered with an error or nonsense: Error gives the client's
)

// Reply takes bytes of the reply to fragment i, the last ones or not.
func (g *Group) Reply(pool *bytebuf.Pool, i int, b []byte, last bool) Outcome {
	f := &g.Fragments[i]
	if cap(f.reply)-len(f.reply) < len(b) {
		f.reply = pool.Grow(f.reply, max(len(b), cap(f.reply)))
	}
	f.reply = append(f.reply, b...)
	if !last {
		return Waiting
	}
	if !g.shape.accept(g, f) {
		return Failed
	}
	g.waiting--
	if g.waiting > 0 {
		return Waiting
	}
	return Complete
}

// Coalesce returns the client's reply in a pool buffer. The group must be complete.
func (g *Group) Coalesce(pool *bytebuf.Pool) []byte {
	size := maxHeader + g.extra
	for i := range g.Fragments {
		size += len(g.Fragments[i].reply)
	}
	return g.shape.append(g, pool.Get(size))
}

// maxHeader bounds what the client's reply may need beyond the bytes of the servers' replies: the
// header of an array, or a number.
const maxHeader = 24

// Refusal is the error that fragment i's server answered with, borrowed; nil if the answer was of the
// wrong kind.
func (g *Group) Refusal(i int) []byte {
	if r := g.Fragments[i].reply; g.shape.refusal(r) {
		return r
	}
	return nil
}

// Buffered is the number of bytes of replies that the group holds.
func (g *Group) Buffered() (n int64) {
	for i := range g.Fragments {
		n += int64(len(g.Fragments[i].reply))
	}
	return n
}

// release gives all buffers back and makes the group ready for reuse.
func (g *Group) release(pool *bytebuf.Pool) {
	for i := range g.Fragments {
		f := &g.Fragments[i]
		pool.Put(f.Request)
		pool.Put(f.reply)
		*f = Fragment{}
	}
	g.Fragments, g.of = g.Fragments[:0], g.of[:0]
	g.shape, g.keys, g.waiting, g.sum, g.extra = nil, 0, 0, 0, 0
}
