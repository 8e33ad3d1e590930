package ring

import "sort"

// maxSlots bounds the memory of a modula ring: above it slots are searched for, not tabulated.
const maxSlots = 1 << 16

// modula gives each node as many neighbouring slots as its weight says; a hash belongs to the slot
// that is its remainder.
type modula struct {
	slots []int32 // slot → Node.Index; nil if there are more than maxSlots
	total uint64  // slots
	ends  []uint64
	nodes []int // Node.Index; the slots of nodes[i] end before ends[i]
}

func newModula(nodes []Node) *modula {
	m := &modula{}
	for _, n := range nodes {
		m.total += uint64(n.Weight)
		m.ends = append(m.ends, m.total)
		m.nodes = append(m.nodes, n.Index)
	}
	if m.total > maxSlots {
		return m
	}
	m.slots = make([]int32, 0, m.total)
	for _, n := range nodes {
		for range n.Weight {
			m.slots = append(m.slots, int32(n.Index))
		}
	}
	return m
}

// Pick implements Ring.
func (m *modula) Pick(hash uint32) int {
	if n := uint32(len(m.slots)); n != 0 {
		return int(m.slots[hash%n])
	}
	slot := uint64(hash) % m.total
	return m.nodes[sort.Search(len(m.ends), func(i int) bool { return slot < m.ends[i] })]
}

func (m *modula) shares() map[int]float64 {
	// Every slot has the same number of hashes, but for the first few, which have one more.
	each, more := hashes/m.total, hashes%m.total
	shares := make(map[int]float64, len(m.nodes))
	start := uint64(0)
	for i, end := range m.ends {
		owned := (end-start)*each + min(end, more) - min(start, more)
		shares[m.nodes[i]] = float64(owned) / hashes
		start = end
	}
	return shares
}

func (m *modula) points() map[int]int {
	counts := make(map[int]int, len(m.nodes))
	start := uint64(0)
	for i, end := range m.ends {
		counts[m.nodes[i]] = int(end - start)
		start = end
	}
	return counts
}

// random gives every node the same chance; weights are ignored, as in twemproxy.
type random struct {
	nodes []int // Node.Index
}

func newRandom(nodes []Node) *random {
	r := &random{}
	for _, n := range nodes {
		r.nodes = append(r.nodes, n.Index)
	}
	return r
}

// Pick implements Ring; draw is a random number.
func (r *random) Pick(draw uint32) int { return r.nodes[draw%uint32(len(r.nodes))] }

func (r *random) shares() map[int]float64 {
	shares := make(map[int]float64, len(r.nodes))
	for _, index := range r.nodes {
		shares[index] = 1 / float64(len(r.nodes))
	}
	return shares
}

func (r *random) points() map[int]int {
	counts := make(map[int]int, len(r.nodes))
	for _, index := range r.nodes {
		counts[index] = 1
	}
	return counts
}
