package sim

import "testing"

// Clients move between workers while they work, in peace and in storms, and nobody notices: each request is answered once,
// in its order, and what was written is read.
func TestMoves(t *testing.T) {
	for name, faults := range map[string]Fault{"in peace": 0, "in storms": AllFaults} {
		t.Run(name, func(t *testing.T) {
			sum := run(t, seeds(60), func(i int) Config {
				c := FromSeed(uint64(5000+i), faults != 0)
				c.Workers, c.MoveOnce = 2+i%3, 2+i%20
				return c
			})
			if sum.Moves < 20*seeds(60) {
				t.Errorf("only %d moves", sum.Moves)
			}
		})
	}
}
