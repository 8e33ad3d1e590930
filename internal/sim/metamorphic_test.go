package sim

import (
	"bytes"
	"testing"
)

// TestSameSeedSameRun: a run that cannot be repeated cannot be debugged.
func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 6; seed++ {
		a, errA := Run(fleet(seed))
		b, errB := Run(fleet(seed))
		if a.Digest != b.Digest || a.Turns != b.Turns || (errA == nil) != (errB == nil) {
			t.Errorf("seed %d: two runs differ: %d and %d turns", seed, a.Turns, b.Turns)
		}
		if c, _ := Run(fleet(seed + 2)); c.Digest == a.Digest {
			t.Errorf("seeds %d and %d give the same run", seed, seed+2)
		}
	}
}

// TestAnswersDoNotDependOn: clients get the same bytes whatever the number of servers, and however
// the bytes are cut.
func TestAnswersDoNotDependOn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"the number of servers":     func(c *Config) { c.Servers = 5 },
		"the number of connections": func(c *Config) { c.ServerConnections = 3 },
		"tiny chunks":               func(c *Config) { c.Chunk, c.Requests = 5, 60 },
		"chunks":                    func(c *Config) { c.Chunk = 100 },
		"small socket buffers":      func(c *Config) { c.Buffer = 64 },
		"the order of events":       func(c *Config) { c.Window = 1 },
	} {
		for protocol, speak := range protocols {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				for seed := uint64(1); seed <= 5; seed++ {
					one := small(seed)
					speak(&one)
					one.Servers, one.Plain, one.Keep = 1, true, true
					sameAnswers(t, one, change)
				}
			})
		}
	}
}

func sameAnswers(t *testing.T, one Config, change func(*Config)) {
	other := one
	change(&other)
	one.Requests = other.Requests
	a, errA := Run(one)
	b, errB := Run(other)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for i := range a.Received {
		if !bytes.Equal(a.Received[i], b.Received[i]) {
			t.Errorf("seed %d: client %d got other bytes: %s", one.Seed, i, firstDifference(a.Received[i], b.Received[i]))
		}
	}
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(i-40, 0)
	return short(a[from:min(i+40, len(a))]) + " and " + short(b[from:min(i+40, len(b))])
}
