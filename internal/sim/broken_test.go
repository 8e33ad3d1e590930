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

// protocols are what a fleet can speak.
var protocols = map[string]func(*Config){
	"redis":     func(*Config) {},
	"lanes":     func(c *Config) { c.Lanes, c.Databases = true, 3 },
	"memcached": func(c *Config) { c.Memcached, c.MissOnFailure = true, c.Seed%2 == 0 },
}

// TestOracleNotices breaks something in fleets that are otherwise sound, early and late: a checker
// that cannot fail would pass them.
func TestOracleNotices(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Sabotage{
		"swapped replies": SwapReplies, "lost reply": LoseReply, "doubled reply": DoubleReply,
		"another key's value": StaleReply, "wrong server": WrongServer, "lost byte": LoseByte,
		"forgotten output": ForgetOutput, "deaf after a pause": StayDeaf, "leaked buffer": LeakBuffer,
		"wrong protocol": WrongProtocol, "wrong database": WrongDatabase,
		"a value that got lost": LoseValue, "the reply of a noreply": ShowNoreply, "a quiet miss": ShowMiss,
	} {
		for protocol, speak := range protocols {
			if protocol != "memcached" && s >= LoseValue || protocol != "lanes" && (s == WrongProtocol || s == WrongDatabase) {
				continue // it has nothing of the kind
			}
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				for seed := uint64(1); seed <= 6; seed++ {
					if s == StayDeaf && seed > 2 {
						break // they take their time
					}
					c := small(seed)
					speak(&c)
					sabotaged(t, c, s)
				}
			})
		}
	}
}

// sabotaged runs a fleet as it is and broken.
func sabotaged(t *testing.T, c Config, s Sabotage) {
	if s == StayDeaf { // values so large that clients are paused
		c.Huge, c.HugeOnce, c.Requests, c.Clients = 3<<20, 5, 40, 3
		c.Chunk, c.Buffer = 128<<10, 128<<10
	}
	if r, err := Run(c); err != nil || r.Sabotaged {
		t.Fatalf("a sound fleet fails: %v", err)
	}
	c.Sabotage = s
	if s != WrongServer && s != StayDeaf { // of those there are few
		c.After = int(c.Seed*c.Seed) % 200
	}
	if s == ShowMiss || s == ShowNoreply {
		c.After, c.Requests = int(c.Seed)/2, 500 // nor of these
	}
	r, err := Run(c)
	if !r.Sabotaged {
		t.Fatalf("seed %d: there was no chance to break anything", c.Seed)
	}
	if err == nil {
		t.Errorf("seed %d: nobody noticed", c.Seed)
	}
}

// TestOracleWantsReasons lets servers fail without telling the oracle: it must not excuse what it
// knows no reason for.
func TestOracleWantsReasons(t *testing.T) {
	for protocol, speak := range protocols {
		for _, f := range []Fault{Kill, Cut, Garbage, HalfAnswer, Loading} {
			noticed := 0
			for seed := uint64(1); seed <= 10; seed++ {
				c := small(seed)
				speak(&c)
				c.Faults, c.FaultOnce = f, 20
				w := newWorld(c)
				w.gullible = false
				w.run()
				if w.result.Faults == 0 {
					t.Fatalf("%s: fault %x: seed %d had none", protocol, f, seed)
				}
				if w.violation != nil {
					noticed++
				}
			}
			if noticed < 9 {
				t.Errorf("%s: fault %x: unexcused errors were noticed in %d of 10 fleets", protocol, f, noticed)
			}
		}
	}
}
