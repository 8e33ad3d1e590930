package proxy

import (
	"fmt"
	"testing"
)

// ticks has the balance look at the same loads so many times, and returns what it wanted.
func ticks(b *balance, n int, processors float64, busy ...float64) (moves []move) {
	for range n {
		loads := make([]load, b.most)
		for i := range busy {
			loads[i] = load{busy: busy[i], clients: 10}
		}
		moves = append(moves, b.tick(loads, processors)...)
	}
	return moves
}

func bounded(least, most int) *balance {
	b := &balance{active: 1}
	b.bound(least, most)
	return b
}

func wants(t *testing.T, got []move, want ...move) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A worker that has no time left gets help, twice in a row; one that only has to share its processor does not.
func TestBalanceGrows(t *testing.T) {
	b := bounded(1, 3)
	wants(t, ticks(b, 100, 0.7, 1))
	wants(t, ticks(b, 100, 0.95, 0.85))
	wants(t, ticks(b, 1, 0.95, 1))
	wants(t, ticks(b, 1, 0.1, 0.1)) // not in a row
	wants(t, ticks(b, 1, 0.95, 1))
	wants(t, ticks(b, 1, 0.95, 1), move{0, 1, 0.5})
	wants(t, ticks(b, growAfter, 1.9, 1, 0.95), move{0, 2, 1. / 3}, move{1, 2, 1. / 3})
	wants(t, ticks(b, 100, 2.9, 1, 1, 1)) // there are no more
}

// When less would do again the last one is led out, for as long as it has clients.
func TestBalanceShrinks(t *testing.T) {
	b := bounded(1, 2)
	ticks(b, growAfter, 1, 1)
	wants(t, ticks(b, 100, 0.8, 0.4, 0.4))
	wants(t, ticks(b, shrinkAfter-1, 0.4, 0.3, 0.2))
	wants(t, ticks(b, 1, 0.4, 0.3, 0.2), move{1, 0, all})
	wants(t, ticks(b, 2, 0.4, 0.3, 0.2), move{1, 0, all}, move{1, 0, all})
	wants(t, ticks(b, 2, 0.4, 0.5))
}

// Help that was in vain, as with one client that fills a worker, is tried ever less often.
func TestBalanceRests(t *testing.T) {
	b := bounded(1, 2)
	var pauses []int
	for range 8 {
		n := 0
		for b.active == 1 {
			ticks(b, 1, 1, 1)
			n++
		}
		pauses = append(pauses, n)
		for b.active == 2 {
			ticks(b, 1, 0.5, 0.5, 0)
		}
	}
	if got := fmt.Sprint(pauses); got != "[2 8 16 32 64 128 240 240]" {
		t.Errorf("pauses of %v ticks", got)
	}
}

// Workers that are not alike give each other clients: half of what they differ by.
func TestBalanceEvensOut(t *testing.T) {
	b := bounded(2, 2)
	wants(t, ticks(b, 100, 1, 0.7, 0.5))
	wants(t, ticks(b, 100, 1, 0.5, 0.1)) // both have time
	wants(t, ticks(b, evenAfter, 1, 0.8, 0.4), move{0, 1, 0.25})
	wants(t, ticks(b, evenAfter, 1, 0, 0.8), move{1, 0, 0.5})
}

// A fixed number is there at once, and another one after a reload.
func TestBalanceIsBound(t *testing.T) {
	b := &balance{active: 1}
	wants(t, b.bound(3, 3), move{0, 1, 0.5}, move{0, 2, 1. / 3}, move{1, 2, 1. / 3})
	wants(t, ticks(b, 100, 0, 0, 0, 0))
	wants(t, b.bound(2, 2))
	loads := []load{{0, 1}, {0, 1}, {0, 1}}
	if got := b.tick(loads, 0); len(got) != 1 || got[0].from != 2 || got[0].to > 1 || got[0].share != all {
		t.Errorf("%v", got)
	}
	wants(t, b.bound(1, 4))
	if b.active != 2 {
		t.Errorf("%d workers", b.active)
	}
}
