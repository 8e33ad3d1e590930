package ring

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

const (
	pointsPerServer = 160 // of a server with average weight
	pointsPerDigest = 4   // an MD5 is cut into four 32-bit points
	maxPointName    = 272 // bytes of a point's name that twemproxy's buffer holds
)

// Point is a place on the ketama continuum. It owns the hashes after the previous point up to and
// including Value.
type Point struct {
	Value uint32
	Index int32 // Node.Index
}

// Continuum returns the ketama points of nodes in ascending order of Value; of equal values the one
// of the earlier node comes first, and wins. The caller owns the slice.
func Continuum(nodes []Node) []Point {
	total := 0
	for _, n := range nodes {
		total += n.Weight
	}
	points := make([]Point, 0, pointsPerServer*len(nodes))
	var name []byte
	for _, n := range nodes {
		for i := range digests(n.Weight, total, len(nodes)) {
			name = append(append(name[:0], n.Name...), '-')
			name = strconv.AppendInt(name, int64(i), 10)
			sum := md5.Sum(name[:min(len(name), maxPointName)])
			for at := 0; at < len(sum); at += 4 {
				points = append(points, Point{binary.LittleEndian.Uint32(sum[at:]), int32(n.Index)})
			}
		}
	}
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Value, b.Value) })
	return points
}

// digests is how many MD5 sums a server of the given weight gets. twemproxy computes in single
// precision, whose rounding costs some servers four points; every step must round as there. The
// 1e-10 was meant to prevent that, but is lost when the sum is rounded again.
func digests(weight, total, servers int) int {
	share := float32(float32(weight) / float32(total))
	x := float32(share * pointsPerServer)
	x = float32(x / pointsPerDigest)
	x = float32(x * float32(servers))
	x = float32(float64(x) + 1e-10)
	return int(math.Floor(float64(x)))
}

// ketama is a continuum and a table that leads into it. The table has a bucket for every value of the hash's top
// bits, several for each point, so that nearly every bucket lies between two points and names the node itself. That
// costs one load and a branch that the processor foresees; where it has to guess, as in a binary search or a walk from
// point to point, each wrong guess waits for the hash and throws away the work on the requests behind it.
type ketama struct {
	continuum []Point // ends with a sentinel that equals the first point but has the highest value
	buckets   []int32 // top bits of a hash → Node.Index, or ^ the first point not below the bucket
	shift     uint8   // hash >> shift is the bucket
	nodes     []int   // Node.Index of all nodes, also those without points
}

const (
	spareBits = 3  // there are 8 to 16 buckets for each point,
	mostBits  = 16 // unless that makes more than 256 KiB of them; at least one there is
)

func newKetama(nodes []Node) *ketama {
	points := Continuum(nodes)
	// Hashes past the last point belong to the first.
	points = append(points, Point{math.MaxUint32, points[0].Index})
	width := bits.Len(uint(len(points)))
	width = max(width, min(width+spareBits, mostBits))
	k := &ketama{
		continuum: points,
		buckets:   make([]int32, 1<<width),
		shift:     uint8(32 - width),
	}
	at := 0
	for b := range k.buckets {
		first := uint32(b) << k.shift
		for points[at].Value < first {
			at++
		}
		k.buckets[b] = k.bucket(at, first|(1<<k.shift-1))
	}
	for _, n := range nodes {
		k.nodes = append(k.nodes, n.Index)
	}
	return k
}

// bucket is what stands for the hashes up to last, of which the first belongs to the point at.
func (k *ketama) bucket(at int, last uint32) int32 {
	index := k.continuum[at].Index
	for i := at; k.continuum[i].Value < last; i++ {
		if k.continuum[i+1].Index != index {
			return int32(^at)
		}
	}
	return index
}

// Pick implements Ring: the first point whose value is not below hash, else the first of all.
func (k *ketama) Pick(hash uint32) int {
	b := k.buckets[hash>>k.shift]
	if b >= 0 {
		return int(b)
	}
	return k.walk(int(^b), hash)
}

// walk finds the point of a hash from one that is not behind it. The sentinel ends the loop.
func (k *ketama) walk(at int, hash uint32) int {
	for k.continuum[at].Value < hash {
		at++
	}
	return int(k.continuum[at].Index)
}

func (k *ketama) shares() map[int]float64 {
	// The sentinel takes part: it owns what lies past the last real point, unless that is at the top.
	owned := make(map[int]uint64, len(k.nodes))
	next := uint64(0) // the first hash not yet owned
	for _, p := range k.continuum {
		end := uint64(p.Value) + 1
		owned[int(p.Index)] += end - next
		next = end
	}
	shares := make(map[int]float64, len(k.nodes))
	for _, index := range k.nodes {
		shares[index] = float64(owned[index]) / hashes
	}
	return shares
}

func (k *ketama) points() map[int]int {
	counts := make(map[int]int, len(k.nodes))
	for _, index := range k.nodes {
		counts[index] = 0
	}
	for _, p := range k.continuum[:len(k.continuum)-1] {
		counts[int(p.Index)]++
	}
	return counts
}
