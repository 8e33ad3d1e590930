package sim

import "testing"

// Servers come, go and move while clients work, in peace and in storms: no request is lost, and none overtakes
// another on its way to the same server over a new connection.
func TestReloads(t *testing.T) {
	for name, faults := range map[string]Fault{"in peace": 0, "in storms": AllFaults} {
		t.Run(name, func(t *testing.T) {
			sum := run(t, seeds(60), func(i int) Config {
				c := FromSeed(uint64(3000+i), faults != 0)
				c.FlushAll, c.ReloadOnce = false, 5+i
				return c
			})
			if sum.Reloads < 10*seeds(60) {
				t.Errorf("only %d reloads", sum.Reloads)
			}
		})
	}
}
