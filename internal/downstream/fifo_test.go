package downstream

import (
	"math/rand/v2"
	"testing"
)

// The ring must behave as a list whose places are numbered, also where the numbers wrap.
func TestFifoIsAList(t *testing.T) {
	var free rings
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		f := fifo{head: -uint32(1 + r.IntN(100))}
		first := f.head
		var want []entryState
		for i := range 2000 {
			if r.IntN(100) < 52 {
				s := entryState(r.IntN(3))
				if seq := f.push(&free, entry{state: s}); seq != first+uint32(len(want)) {
					t.Fatalf("step %d: number %d, want %d", i, seq, first+uint32(len(want)))
				}
				want = append(want, s)
			} else if len(want) > 0 {
				f.pop()
				want = want[1:]
				first++
			}
			for k, s := range want {
				if f.at(uint32(k)).state != s || f.find(first+uint32(k)) != f.at(uint32(k)) {
					t.Fatalf("seed %d, step %d: entry %d is not what was put in", seed, i, k)
				}
			}
			if f.find(first-1) != nil || f.find(first+uint32(len(want))) != nil {
				t.Fatalf("step %d: found what is not in line", i)
			}
		}
		f.reset(&free)
		if f.n != 0 || len(f.ring) > smallRing {
			t.Fatalf("after reset: %d entries, a ring of %d", f.n, len(f.ring))
		}
	}
}

// A free ring owns nothing, and is lent once.
func TestRingsAreReused(t *testing.T) {
	var free rings
	var f fifo
	for range 100 {
		f.push(&free, entry{body: make([]byte, 1)})
	}
	ring := f.ring
	for range 100 {
		f.at(0).body = nil
		f.pop()
	}
	f.settle(&free)
	if f.ring != nil {
		t.Fatalf("an empty fifo keeps a ring of %d", len(f.ring))
	}
	again := free.get(100)
	if &again[0] != &ring[0] {
		t.Error("the ring was not reused")
	}
	for i := range again {
		if again[i].body != nil || again[i].group != nil {
			t.Fatalf("entry %d of a free ring owns something", i)
		}
	}
	if other := free.get(100); &other[0] == &ring[0] {
		t.Error("the ring was lent twice")
	}
	for _, n := range []int{1, 4, 5, 64, 65, 512, 513, 4096, 4097, 100000} {
		if size := len(free.get(n)); size < n || size&(size-1) != 0 {
			t.Errorf("a ring for %d entries has %d", n, size)
		}
	}
}
