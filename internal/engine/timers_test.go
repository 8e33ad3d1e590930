package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

func TestTimersComeInOrder(t *testing.T) {
	var h timers
	if h.next() != clock.Never {
		t.Fatal("no timer is due at some time")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var want []clock.Instant
	for range 3000 {
		if len(want) == 0 || r.IntN(5) < 3 {
			at := clock.Instant(1 + r.IntN(500)) // many at the same instant
			h.push(timer{at: at, client: message.ConnID(at)})
			want = append(want, at)
			slices.Sort(want)
		} else {
			got := h.pop()
			if got.at != want[0] || got.client != message.ConnID(want[0]) {
				t.Fatalf("popped %+v, want one for %d", got, want[0])
			}
			want = want[1:]
		}
		if len(want) > 0 && h.next() != want[0] {
			t.Fatalf("the next is at %d, want %d", h.next(), want[0])
		}
	}
}
