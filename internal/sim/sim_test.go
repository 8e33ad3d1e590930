package sim

import (
	"flag"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this one seed, with its trace (TestSeed)")
	seedsFlag = flag.Int("sim.seeds", 0, "how many seeds TestSeeds runs; 0 is a number for every day")
)

// seeds is how many fleets a test runs.
func seeds(full int) int {
	switch {
	case *seedsFlag > 0:
		return *seedsFlag
	case testing.Short():
		return full / 10
	}
	return full
}

// fleet is the fleet of a seed: odd seeds have faults.
func fleet(seed uint64) Config { return FromSeed(seed, seed%2 == 1) }

// TestSeed replays one seed: go test ./internal/sim -run 'TestSeed$' -seed N.
func TestSeed(t *testing.T) {
	c := fleet(*seedFlag)
	c.Trace = *seedFlag != 0
	r, err := Run(c)
	if err != nil {
		t.Fatalf("%v\n%s\n%+v", err, r.Trace, c)
	}
	t.Logf("%d requests, %d faults, %d errors, %d cut, %d turns", r.Requests, r.Faults, r.Errors, r.Cut, r.Turns)
}

// check runs a fleet and says how to run it again.
func check(t *testing.T, c Config) Result {
	t.Helper()
	r, err := Run(c)
	if err != nil {
		t.Errorf("%v\nreplay: go test ./internal/sim -run 'TestSeed$' -seed %d", err, c.Seed)
	}
	return r
}

func TestSeeds(t *testing.T) {
	for _, faults := range []bool{false, true} {
		name := map[bool]string{false: "without faults", true: "with faults"}[faults]
		t.Run(name, func(t *testing.T) {
			var sum Result
			for i := range seeds(400) {
				seed := uint64(2*i + 2)
				if faults {
					seed++
				}
				r := check(t, fleet(seed))
				sum.Requests += r.Requests
				sum.Answers += r.Answers
				sum.Errors += r.Errors
				sum.Cut += r.Cut
				sum.Faults += r.Faults
				sum.Turns += r.Turns
				if t.Failed() && !testing.Verbose() {
					return
				}
			}
			t.Logf("%d requests, %d answers, %d errors, %d cut, %d faults, %d turns", sum.Requests, sum.Answers, sum.Errors, sum.Cut, sum.Faults, sum.Turns)
		})
	}
}
