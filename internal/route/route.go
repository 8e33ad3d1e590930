// Package route answers where a key lives: key → hash tag → hash → server of a pool.
//
// A Router belongs to one worker and is loop-confined; Explain is a pure function for everybody who
// wants to know why.
package route

import (
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Router picks servers. It has a state only for the random distribution.
type Router struct{ seed uint64 }

// NewRouter returns a router whose random picks follow from the seed.
func NewRouter(seed uint64) *Router { return &Router{seed: seed | 1} }

// Pick returns the index of the server that owns the key.
func (r *Router) Pick(p *topology.Pool, key []byte) int {
	if len(p.Servers) == 1 {
		return 0
	}
	if p.Distribution == ring.Random {
		return p.Ring.Pick(r.draw())
	}
	return p.Ring.Pick(hashkit.Hash(p.Hash, p.HashTag, key))
}

// draw is xorshift64*: any even spread serves.
func (r *Router) draw() uint32 {
	r.seed ^= r.seed >> 12
	r.seed ^= r.seed << 25
	r.seed ^= r.seed >> 27
	return uint32((r.seed * 0x2545f4914f6cdd1d) >> 32)
}

// Explanation is the way of one key to its server.
type Explanation struct {
	Key    []byte
	Hashed []byte // the part that is hashed: the hash tag's contents, or the whole key
	Hash   uint32
	Server *topology.Server
}

// Explain tells where a key lives. With one server nothing is hashed; with the random distribution, and
// while all servers are out, no key lives anywhere, and Server is nil.
func Explain(p *topology.Pool, key []byte) Explanation {
	e := Explanation{Key: key, Hashed: p.HashTag.Slice(key), Hash: hashkit.Hash(p.Hash, p.HashTag, key)}
	switch {
	case len(p.Servers) == 1:
		e.Server = p.Servers[0]
	case p.Distribution != ring.Random:
		if i := p.Ring.Pick(e.Hash); i >= 0 {
			e.Server = p.Servers[i]
		}
	}
	return e
}
