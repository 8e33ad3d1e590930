package ring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

func servers(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{Name: fmt.Sprintf("10.0.0.%d:6379", 100+i), Weight: 1, Index: i}
	}
	return nodes
}

// search is the lookup as twemproxy does it: the reference for Pick and its peer in the benchmark.
func search(points []Point, hash uint32) int {
	at := sort.Search(len(points), func(i int) bool { return points[i].Value >= hash })
	if at == len(points) {
		at = 0
	}
	return int(points[at].Index)
}

func TestPickEqualsBinarySearch(t *testing.T) {
	for _, n := range []int{2, 3, 8, 100, 300} {
		nodes := servers(n)
		r, points := New(Ketama, nodes), Continuum(nodes)
		check := func(hash uint32) {
			if got, want := r.Pick(hash), search(points, hash); got != want {
				t.Fatalf("%d servers: Pick(%d) = %d, want %d", n, hash, got, want)
			}
		}
		for _, p := range points { // the edges, around the top and the bottom too
			check(p.Value - 1)
			check(p.Value)
			check(p.Value + 1)
		}
		for _, hash := range []uint32{0, 1, 1 << 31, math.MaxUint32} {
			check(hash)
		}
		random := rand.New(rand.NewPCG(1, uint64(n)))
		for range 10000 {
			check(random.Uint32())
		}
	}
}

func TestTiesGoToTheEarlierServer(t *testing.T) {
	// Servers of one name have the same points.
	nodes := []Node{{Name: "same", Weight: 1, Index: 0}, {Name: "same", Weight: 1, Index: 1}}
	r := New(Ketama, nodes)
	for _, p := range Continuum(nodes) {
		if got := r.Pick(p.Value); got != 0 {
			t.Fatalf("Pick(%d) = %d", p.Value, got)
		}
	}
	if got := Shares(r); got[0] != 1 || got[1] != 0 {
		t.Errorf("shares are %v", got)
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for _, name := range Names() {
		if d, ok := ByName(name); !ok || d.String() != name {
			t.Errorf("%q is %v, %v", name, d, ok)
		}
	}
	if want := []string{"ketama", "modula", "random"}; !slices.Equal(Names(), want) {
		t.Errorf("Names() = %v, want %v", Names(), want)
	}
	if d, ok := ByName("Ketama"); ok {
		t.Errorf("Ketama is %v", d)
	}
}

func TestFewNodes(t *testing.T) {
	for _, d := range []Distribution{Ketama, Modula, Random} {
		if got := New(d, nil).Pick(7); got != -1 {
			t.Errorf("%v without nodes picks %d", d, got)
		}
		r := New(d, []Node{{Name: "a", Weight: 3, Index: 5}})
		if got := r.Pick(7); got != 5 {
			t.Errorf("%v with node 5 alone picks %d", d, got)
		}
		if got := Shares(r); len(got) != 1 || got[5] != 1 {
			t.Errorf("%v with node 5 alone shares %v", d, got)
		}
		if got, want := Points(r)[5], map[Distribution]int{Ketama: 160, Modula: 3, Random: 1}[d]; got != want {
			t.Errorf("%v with node 5 alone has %d points, want %d", d, got, want)
		}
	}
}

func TestSharesAddUp(t *testing.T) {
	weighted := servers(7)
	for i := range weighted {
		weighted[i].Weight = 1 + i*i
	}
	for _, d := range []Distribution{Ketama, Modula, Random} {
		for _, nodes := range [][]Node{servers(2), servers(50), weighted} {
			sum := 0.0
			for _, s := range Shares(New(d, nodes)) {
				sum += s
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("%v of %d: shares add up to %v", d, len(nodes), sum)
			}
		}
	}
}

func TestSharesAreWhatPickDoes(t *testing.T) {
	const draws = 200000
	weighted := servers(5)
	weighted[2].Weight = 4
	for _, d := range []Distribution{Ketama, Modula, Random} {
		r := New(d, weighted)
		hits := map[int]float64{}
		random := rand.New(rand.NewPCG(2, 3))
		for range draws {
			hits[r.Pick(random.Uint32())] += 1.0 / draws
		}
		for index, share := range Shares(r) {
			if math.Abs(hits[index]-share) > 0.005 {
				t.Errorf("%v: node %d was picked %.4f of the time, its share is %.4f", d, index, hits[index], share)
			}
		}
	}
}

func TestKetamaIsEven(t *testing.T) {
	for _, n := range []int{2, 5, 10, 50} {
		for index, share := range Shares(New(Ketama, servers(n))) {
			if fair := share * float64(n); fair < 0.7 || fair > 1.35 {
				t.Errorf("%d servers: server %d has %.2f of its fair share", n, index, fair)
			}
		}
	}
}

// A key moves only if its server left.
func TestKetamaMovesLittle(t *testing.T) {
	all := servers(10)
	before := New(Ketama, all)
	for left := range all {
		after := New(Ketama, slices.Delete(slices.Clone(all), left, left+1))
		random := rand.New(rand.NewPCG(4, uint64(left)))
		for range 20000 {
			hash := random.Uint32()
			was, is := before.Pick(hash), after.Pick(hash)
			if is == left {
				t.Fatalf("hash %d goes to server %d, which left", hash, left)
			}
			if was != left && is != was {
				t.Fatalf("hash %d moved from %d to %d when %d left", hash, was, is, left)
			}
		}
	}
}

func TestModulaAboveTheTable(t *testing.T) {
	// Twice the weights in the same ratio: the first ring has a table, the second searches.
	small := []Node{{Weight: 1, Index: 0}, {Weight: 3, Index: 4}, {Weight: 2, Index: 9}}
	big := slices.Clone(small)
	for i := range big {
		big[i].Weight *= maxSlots
	}
	a, b := New(Modula, small).(*modula), New(Modula, big).(*modula)
	if a.slots == nil || b.slots != nil {
		t.Fatalf("tables of %d and %d slots", len(a.slots), len(b.slots))
	}
	for slot := range uint32(6) {
		for _, at := range []uint32{0, 1, maxSlots - 1} {
			if got, want := b.Pick(slot*maxSlots+at), a.Pick(slot); got != want {
				t.Errorf("slot %d+%d goes to %d, want %d", slot*maxSlots, at, got, want)
			}
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	for _, d := range []Distribution{Ketama, Modula, Random} {
		for _, n := range []int{0, 1, 20} {
			r := New(d, servers(n))
			if got := testing.AllocsPerRun(100, func() { sink += r.Pick(uint32(sink) * 2654435761) }); got != 0 {
				t.Errorf("%v of %d allocates %v times", d, n, got)
			}
		}
	}
}

var sink int // keeps the compiler from dropping what is measured

// spread turns a counter into hashes that no branch predictor foresees.
func spread(i uint32) uint32 {
	i *= 0x9e3779b1
	i ^= i >> 15
	return i * 0x85ebca77
}

// BenchmarkKetama compares the bucket table with the binary search it stands for.
func BenchmarkKetama(b *testing.B) {
	for _, n := range []int{2, 10, 100} {
		r, points := New(Ketama, servers(n)), Continuum(servers(n))
		b.Run(fmt.Sprintf("buckets/%d", n), func(b *testing.B) {
			for i := uint32(0); b.Loop(); i++ {
				sink += r.Pick(spread(i))
			}
		})
		b.Run(fmt.Sprintf("search/%d", n), func(b *testing.B) {
			for i := uint32(0); b.Loop(); i++ {
				sink += search(points, spread(i))
			}
		})
	}
}

func BenchmarkModula(b *testing.B) {
	r := New(Modula, servers(10))
	for i := uint32(0); b.Loop(); i++ {
		sink += r.Pick(spread(i))
	}
}
