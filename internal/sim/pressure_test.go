package sim

import (
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// TestPressure: clients that are paused, because of their own output or of a server's queue, go on.
func TestPressure(t *testing.T) {
	t.Parallel()
	for _, faults := range []Fault{0, Kill | Cut | Stall} {
		sum := run(t, seeds(6), func(i int) Config {
			c := small(uint64(i + 1))
			c.Memcached = i%2 == 1
			c.Huge, c.HugeOnce, c.Keys = 2<<20, 4, 2
			c.Clients, c.Requests, c.Window = 3, 60, 64
			c.Chunk, c.Buffer = 256<<10, 64<<10
			c.Faults, c.FaultOnce = faults, 60
			return c
		})
		if sum.Counted["read_pauses"] == 0 {
			t.Errorf("faults %x: no client was ever paused", faults)
		}
	}
}

// TestSilentServer: what a server never answers ends with the pool's timeout, for every client.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	for protocol, speak := range protocols {
		for seed := uint64(1); seed <= 10; seed++ {
			c := small(seed)
			speak(&c)
			c.MissOnFailure = false
			c.Timeout = 300 * time.Millisecond
			w := newWorld(c)
			w.servers[seed%3].silent = clock.Never
			w.excuse(message.ErrTimeout)
			w.run()
			if w.violation != nil {
				t.Error(protocol, w.violation)
			}
			if w.result.Errors == 0 {
				t.Errorf("%s: seed %d: nobody waited for the silent server", protocol, seed)
			}
		}
	}
}

// TestDeadServer: its keys are errors or missing, as the pool says, and those of the others are there.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	for protocol, speak := range protocols {
		for seed := uint64(1); seed <= 10; seed++ {
			c := small(seed)
			speak(&c)
			w := newWorld(c)
			w.servers[seed%3].down, w.servers[seed%3].hurt = clock.Never, true
			w.excuse(errRefused)
			w.run()
			if w.violation != nil {
				t.Error(protocol, w.violation)
			}
			if w.result.Errors == 0 {
				t.Errorf("%s: seed %d: nobody asked the dead server", protocol, seed)
			}
		}
	}
}
