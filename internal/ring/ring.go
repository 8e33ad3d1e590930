// Package ring has the distributions: which server a key's hash belongs to.
//
// A ring is built once from the live servers, is never changed, and may be read by any goroutine.
// Placement equals twemproxy's exactly; when a server is ejected or readmitted, a new ring is built.
package ring

// Distribution names a way to spread hashes over servers.
type Distribution uint8

// The distributions, in twemproxy's order. Ketama is the default.
const (
	Ketama Distribution = iota
	Modula
	Random
)

var names = [...]string{Ketama: "ketama", Modula: "modula", Random: "random"}

// String returns the name that the configuration uses.
func (d Distribution) String() string {
	if int(d) < len(names) {
		return names[d]
	}
	return "unknown"
}

// ByName returns the distribution that the configuration calls name: exact, case sensitive.
func ByName(name string) (Distribution, bool) {
	for i, n := range names {
		if n == name {
			return Distribution(i), true
		}
	}
	return 0, false
}

// Names returns the names that ByName knows, in twemproxy's order. The caller owns the slice.
func Names() []string { return append([]string(nil), names[:]...) }

// Node is one live server of a pool.
type Node struct {
	Name   string // the ring name, which ketama hashes
	Weight int    // at least 1
	Index  int    // what Pick returns; the server's position among all servers of the pool
}

// Ring maps hashes to servers.
type Ring interface {
	// Pick returns the Index of the node that hash belongs to, or -1 if the ring has no nodes. For
	// Random, hash is a random number that the caller has drawn.
	Pick(hash uint32) int
}

// New builds the ring of the live servers in nodes, which must be in twemproxy's order (length of
// the ring name, then bytes): ketama breaks ties and modula fills its slots by it. nodes is not kept.
func New(d Distribution, nodes []Node) Ring {
	switch {
	case len(nodes) == 0:
		return none{}
	case len(nodes) == 1:
		return newSingle(d, nodes)
	case d == Modula:
		return newModula(nodes)
	case d == Random:
		return newRandom(nodes)
	default:
		return newKetama(nodes)
	}
}

// Shares returns for each node of r, by Index, which part of all 2^32 hashes belongs to it, exactly
// (for random, the probability). The shares add up to 1. It is for people who look at a topology,
// not for the request path. A Ring not made by New has no shares: the result is nil.
func Shares(r Ring) map[int]float64 {
	if d, ok := r.(described); ok {
		return d.shares()
	}
	return nil
}

// Points returns for each node of r, by Index, its points on the ring: of the ketama continuum, or
// modula's slots, or one each for random. A Ring not made by New has none: the result is nil.
func Points(r Ring) map[int]int {
	if d, ok := r.(described); ok {
		return d.points()
	}
	return nil
}

// described is what every ring of this package can tell about itself.
type described interface {
	shares() map[int]float64
	points() map[int]int
}

// hashes is the size of the hash space.
const hashes = 1 << 32

// none is the ring without nodes.
type none struct{}

func (none) Pick(uint32) int         { return -1 }
func (none) shares() map[int]float64 { return map[int]float64{} }
func (none) points() map[int]int     { return map[int]int{} }

// single is the ring of one node, for which nothing is computed.
type single struct {
	index int
	count int // points
}

func newSingle(d Distribution, nodes []Node) single {
	s := single{index: nodes[0].Index, count: 1}
	switch d {
	case Ketama:
		s.count = len(Continuum(nodes))
	case Modula:
		s.count = nodes[0].Weight
	}
	return s
}

func (s single) Pick(uint32) int         { return s.index }
func (s single) shares() map[int]float64 { return map[int]float64{s.index: 1} }
func (s single) points() map[int]int     { return map[int]int{s.index: s.count} }
