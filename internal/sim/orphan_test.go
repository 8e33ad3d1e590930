package sim

import (
	"testing"
	"time"
)

// TestOrphans has requests be late all the time while clients change their lanes: what was answered by an error may
// still be done, and must not be done after what its client has asked since.
func TestOrphans(t *testing.T) {
	sum := run(t, seeds(60), func(i int) Config {
		c := small(uint64(i))
		protocols["lanes"](&c)
		c.Faults, c.FaultOnce = Slow, 20
		c.Timeout, c.ConnectTimeout = 20*time.Millisecond, 20*time.Millisecond
		c.Requests, c.Keys = 400, 2
		return c
	})
	if sum.Counted["server late_replies"] == 0 {
		t.Error("no reply was late")
	}
}
