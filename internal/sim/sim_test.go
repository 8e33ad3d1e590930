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
	r.show(t)
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

func (r *Result) add(s Result) {
	r.Requests += s.Requests
	r.Answers += s.Answers
	r.Errors += s.Errors
	r.Cut += s.Cut
	r.Dropped += s.Dropped
	r.Faults += s.Faults
	r.Turns += s.Turns
	if r.Counted == nil {
		r.Counted = map[string]uint64{}
	}
	for name, n := range s.Counted {
		r.Counted[name] += n
	}
}

func (r *Result) show(t *testing.T) {
	t.Logf("%d requests, %d answers, %d errors, %d cut, %d dropped, %d faults, %d turns", r.Requests, r.Answers, r.Errors, r.Cut, r.Dropped, r.Faults, r.Turns)
}

// TestSeedsInPeace: where nothing goes wrong every request gets its own answer.
func TestSeedsInPeace(t *testing.T) {
	t.Parallel()
	var sum Result
	for i := range seeds(200) {
		r := check(t, fleet(uint64(2*i+2)))
		if !t.Failed() && (r.Errors > 0 || r.Cut > 0 || r.Answers+r.Dropped != r.Requests) {
			t.Errorf("seed %d: %+v", 2*i+2, r)
		}
		sum.add(r)
	}
	sum.show(t)
}

// unreached are the counters of what fleets do not do.
var unreached = map[string]bool{"clients_refused": true, "clients_idle": true}

// TestSeedsInStorms: whatever goes wrong, a request gets its own answer or an error that says why, or
// its connection ends; and once it is over all is as before.
func TestSeedsInStorms(t *testing.T) {
	t.Parallel()
	var sum Result
	for i := range seeds(200) {
		sum.add(check(t, fleet(uint64(2*i+1))))
	}
	sum.show(t)
	// What the storms never reach they do not test.
	for name, n := range sum.Counted {
		if n == 0 && !unreached[name] && !testing.Short() {
			t.Errorf("no fleet ever made the engine count %q", name)
		}
	}
}

// TestEachFaultAlone: faults that come together could excuse each other's errors.
func TestEachFaultAlone(t *testing.T) {
	t.Parallel()
	for i := range faultCount {
		var sum Result
		for seed := range seeds(10) {
			c := FromSeed(uint64(1000*i+seed), false)
			c.Faults, c.FaultOnce = Fault(1)<<i, 30
			sum.add(check(t, c))
		}
		if sum.Faults == 0 {
			t.Errorf("fault %d never happened", i)
		}
		if sum.Answers < sum.Requests/4 {
			t.Errorf("fault %d: only %d of %d requests were answered", i, sum.Answers, sum.Requests)
		}
	}
}
