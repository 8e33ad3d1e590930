package proxy

import (
	"slices"
	"time"
)

// One worker serves all clients as long as it can: it sends more requests with each system call than two that have half
// of the clients each, and so costs less. Only when the workers that have clients are saturated one more gets some, and
// when less would do again it loses them.

// tick is how often the balance looks at the workers.
const tick = 250 * time.Millisecond

const (
	// saturated is the share of time in which a worker that has no time left does not sleep, and enough of a processor
	// that more of them would help. A worker that has to share its processor with somebody does not sleep either.
	saturated, enough = 0.9, 0.85
	// spare is how busy each of the others may be at most when one more is not needed.
	spare = 0.6
	// uneven is by how much more than another one a worker may be busy.
	uneven = 0.25

	growAfter, evenAfter, shrinkAfter = 2, 2, 8 // ticks in a row
	// After it was in vain a worker more is not tried again for so many ticks, twice as many each time.
	restLeast, restMost = 8, 240
	worthAfter          = 40 // ticks: it was not in vain
)

// load is what one worker did in a tick.
type load struct {
	busy    float64 // the share of it in which the worker did not sleep
	clients int
}

// move has a share of a worker's clients go to another one: of those that do something, unless it is all.
type move struct {
	from, to int
	share    float64
}

// balance decides how many workers have clients, and which clients move. The first ones have them.
type balance struct {
	least, most int // how many workers have clients
	active      int

	high, low, askew int // ticks in a row in which there was reason to grow, shrink, even out
	since            int // ticks since it grew
	rest, resting    int // ticks
}

// bound says how many workers may, and have to, have clients. What follows at once is returned.
func (b *balance) bound(least, most int) (moves []move) {
	b.least, b.most = least, most
	b.high, b.low, b.askew = 0, 0, 0
	b.active = max(min(b.active, most), 1)
	for b.active < least {
		moves = append(moves, b.grow()...)
	}
	return moves
}

// tick takes what each worker did in the last tick, and how many processors the process has used in it.
func (b *balance) tick(loads []load, processors float64) (moves []move) {
	b.since++
	b.resting = max(b.resting-1, 0)
	active := loads[:b.active]
	idlest, busiest, sum := 0, 0, 0.0
	full := true
	for i, l := range active {
		sum += l.busy
		full = full && l.busy >= saturated
		if l.busy < active[idlest].busy {
			idlest = i
		}
		if l.busy > active[busiest].busy {
			busiest = i
		}
	}
	apart := active[busiest].busy - active[idlest].busy
	in := func(ticks *int, reason bool) int {
		if *ticks++; !reason {
			*ticks = 0
		}
		return *ticks
	}
	n := float64(b.active)
	grow := in(&b.high, full && processors >= enough*n && b.active < b.most) >= growAfter && b.resting == 0
	shrink := in(&b.low, b.active > b.least && sum <= spare*(n-1)) >= shrinkAfter
	even := in(&b.askew, apart >= uneven && active[busiest].busy >= spare) >= evenAfter
	switch {
	case grow:
		moves = b.grow()
	case shrink:
		b.shrink()
	case even:
		b.askew = 0
		moves = []move{{busiest, idlest, apart / 2 / active[busiest].busy}}
	}
	return append(moves, b.evacuate(loads)...)
}

func (b *balance) grow() (moves []move) {
	b.active++
	b.high, b.low, b.askew, b.since = 0, 0, 0, 0
	for i := range b.active - 1 {
		moves = append(moves, move{i, b.active - 1, 1 / float64(b.active)})
	}
	return moves
}

func (b *balance) shrink() {
	b.active--
	b.high, b.low, b.askew = 0, 0, 0
	if b.since >= worthAfter {
		b.rest = 0
	}
	b.rest = min(max(2*b.rest, restLeast), restMost)
	b.resting = b.rest
}

// evacuate moves clients that are still where they should not be. It is repeated until they rest and go.
func (b *balance) evacuate(loads []load) (moves []move) {
	for i := b.active; i < len(loads); i++ {
		if loads[i].clients > 0 {
			moves = append(moves, move{i, (i + b.since) % b.active, all})
		}
	}
	return moves
}

// all is the share that means every client, whether it does something or not.
const all = 1

// restless says whether there is anything to decide, ever.
func (b *balance) restless(loads []load) bool {
	return b.most > 1 || slices.ContainsFunc(loads[1:], func(l load) bool { return l.clients > 0 })
}
