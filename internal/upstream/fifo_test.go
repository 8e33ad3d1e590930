package upstream

import (
	"math/rand/v2"
	"testing"

	"github.com/cashew-proxy/cashew/internal/message"
)

// The ring must behave as a list, also where its counter wraps.
func TestFifoIsAList(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := fifo{}
		f.push(entry{})
		f.pop()
		f.head = -uint32(1 + r.IntN(40)) // soon it wraps
		var want []entry
		for i := range 2000 {
			if r.IntN(100) < 52 {
				e := entry{ticket: message.Ticket{Client: 1, Sequence: uint32(i)}, end: uint64(i)}
				f.push(e)
				want = append(want, e)
			} else if len(want) > 0 {
				f.pop()
				want = want[1:]
			}
			if int(f.n) != len(want) {
				t.Fatalf("%d entries, want %d", f.n, len(want))
			}
			for k, e := range want {
				if *f.at(uint32(k)) != e {
					t.Fatalf("seed %d, step %d: entry %d is %+v, want %+v", seed, i, k, *f.at(uint32(k)), e)
				}
			}
		}
	}
}

func TestFifoShrinksOnlyWhenEmpty(t *testing.T) {
	var f fifo
	for range 3000 {
		f.push(entry{end: 1})
	}
	f.shrink()
	if f.n != 3000 || f.at(2999).end != 1 {
		t.Fatal("shrink lost entries")
	}
	for range 3000 {
		f.pop()
	}
	f.shrink()
	if f.ring != nil {
		t.Errorf("an empty fifo keeps a ring of %d", len(f.ring))
	}
	f.push(entry{end: 2})
	if f.at(0).end != 2 {
		t.Error("it does not go on")
	}
}
