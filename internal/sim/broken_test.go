package sim

import (
	"testing"
	"time"
)

// small is a fleet for tests that steer it.
func small(seed uint64) Config {
	return Config{
		Seed: seed, Servers: 3, ServerConnections: 1, Clients: 8, Requests: 150, Window: 16, Keys: 3,
		Chunk: 4 << 10, Buffer: 16 << 10, Value: 32, Tick: 50 * time.Microsecond, Limits: DefaultLimits(),
	}
}

// TestOracleNotices breaks something in fleets that are otherwise sound, early and late: a checker
// that cannot fail would pass them.
func TestOracleNotices(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Sabotage{
		"swapped replies": SwapReplies, "lost reply": LoseReply, "doubled reply": DoubleReply,
		"another key's value": StaleReply, "wrong server": WrongServer, "lost byte": LoseByte,
		"forgotten output": ForgetOutput, "deaf after a pause": StayDeaf, "leaked buffer": LeakBuffer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 6; seed++ {
				c := small(seed)
				if s == StayDeaf { // values so large that clients are paused
					if seed > 2 {
						break // they take their time
					}
					c.Huge, c.HugeOnce, c.Requests, c.Clients = 3<<20, 5, 40, 3
					c.Chunk, c.Buffer = 128<<10, 128<<10
				}
				if r, err := Run(c); err != nil || r.Sabotaged {
					t.Fatalf("a sound fleet fails: %v", err)
				}
				c.Sabotage = s
				if s != WrongServer { // of those there are few
					c.After = int(seed) * int(seed) % 200
				}
				if s == StayDeaf {
					c.After = 0
				}
				r, err := Run(c)
				if !r.Sabotaged {
					t.Fatalf("seed %d: there was no chance to break anything", seed)
				}
				if err == nil {
					t.Errorf("seed %d: nobody noticed", seed)
				}
			}
		})
	}
}

// TestOracleWantsReasons lets servers fail without telling the oracle: it must not excuse what it
// knows no reason for.
func TestOracleWantsReasons(t *testing.T) {
	for _, f := range []Fault{Kill, Cut, Garbage, HalfAnswer, Loading} {
		noticed := 0
		for seed := uint64(1); seed <= 10; seed++ {
			c := small(seed)
			c.Faults, c.FaultOnce = f, 20
			w := newWorld(c)
			w.gullible = false
			w.run()
			if w.result.Faults == 0 {
				t.Fatalf("fault %x: seed %d had none", f, seed)
			}
			if w.violation != nil {
				noticed++
			}
		}
		if noticed < 9 {
			t.Errorf("fault %x: unexcused errors were noticed in %d of 10 fleets", f, noticed)
		}
	}
}
