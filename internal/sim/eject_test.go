package sim

import (
	"testing"
	"time"
)

// TestEjection: servers go and return, with their keys or without, and once all have returned each key is
// where it was and every request succeeds.
func TestEjection(t *testing.T) {
	t.Parallel()
	for protocol, speak := range protocols {
		for name, change := range map[string]func(*Config){
			"keys move":        func(*Config) {},
			"keys stay":        func(c *Config) { c.KeepRing = true },
			"half of them":     func(c *Config) { c.EjectLimit, c.Servers = 50, 5 },
			"the only one":     func(c *Config) { c.Servers = 1 },
			"several sockets":  func(c *Config) { c.ServerConnections, c.Preconnect = 3, true },
			"for half an hour": func(c *Config) { c.RetryTimeout = 2_000_000 * time.Millisecond },
		} {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				sum := run(t, seeds(6), func(i int) Config {
					c := small(uint64(i + 1))
					speak(&c)
					c.FlushAll = c.Memcached && i%2 == 0
					c.FailureLimit, c.RetryTimeout, c.EjectLimit = 1+i%2, time.Millisecond, 100
					c.Faults, c.FaultOnce, c.Requests = Kill|Cut|Loading, 30, 300
					change(&c)
					return c
				})
				if sum.Ejections == 0 || sum.Returns != sum.Ejections {
					t.Errorf("%d servers were ejected and %d returned", sum.Ejections, sum.Returns)
				}
				if sum.Answers < sum.Requests/5 {
					t.Errorf("only %d of %d requests were answered", sum.Answers, sum.Requests)
				}
			})
		}
	}
}
