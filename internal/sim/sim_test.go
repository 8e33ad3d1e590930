package sim

import (
	"flag"
	"fmt"
	"runtime/debug"
	"testing"
	"time"
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
		return max(full/10, 5)
	}
	return full
}

// TestMain collects garbage seldom: fleets make much of it and hold little.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	m.Run()
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
	t.Logf("%+v", r)
}

// run runs n fleets and adds up what came of them. A few that fail are enough.
func run(t *testing.T, n int, config func(i int) Config) (sum Result) {
	failed := 0
	for i := range n {
		c := config(i)
		r, err := Run(c)
		if err == nil && c.Faults == 0 && (r.Errors > 0 || r.Cut > 0 || r.Answers+r.Dropped != r.Requests) {
			err = &Violation{c.Seed, fmt.Sprintf("in peace: %+v", r)}
		}
		if err != nil {
			t.Errorf("%v\nreplay: go test ./internal/sim -run 'TestSeed$' -seed %d", err, c.Seed)
			if failed++; failed == 3 {
				t.FailNow()
			}
		}
		sum.add(r)
	}
	t.Logf("%d ejections, %d returns, %d reloads, %d moves", sum.Ejections, sum.Returns, sum.Reloads, sum.Moves)
	t.Logf("%d requests, %d answers, %d errors, %d cut, %d dropped, %d faults, %d turns", sum.Requests, sum.Answers, sum.Errors, sum.Cut, sum.Dropped, sum.Faults, sum.Turns)
	return sum
}

func (r *Result) add(s Result) {
	r.Requests += s.Requests
	r.Answers += s.Answers
	r.Errors += s.Errors
	r.Cut += s.Cut
	r.Dropped += s.Dropped
	r.Faults += s.Faults
	r.Turns += s.Turns
	r.Ejections += s.Ejections
	r.Reloads += s.Reloads
	r.Moves += s.Moves
	r.Returns += s.Returns
	if r.Counted == nil {
		r.Counted = map[string]uint64{}
	}
	for name, n := range s.Counted {
		r.Counted[name] += n
	}
}

// TestEveryKindOfFleetIsDrawn: a protocol or a setting that no seed has is not tested.
func TestEveryKindOfFleetIsDrawn(t *testing.T) {
	const n = 160
	fleets, misses, flushes, lanes, eject, keep, long, joins := 0, 0, 0, 0, 0, 0, 0, 0
	for i := range uint64(n) {
		c := fleet(2*i + 1)
		if c.Lanes {
			lanes++
		}
		if c.JoinReads {
			joins++
		}
		if c.FailureLimit > 0 {
			eject++
			if c.KeepRing {
				keep++
			}
			if c.RetryTimeout > time.Hour/2 {
				long++
			}
		}
		if c.Memcached {
			fleets++
			if c.MissOnFailure {
				misses++
			}
			if c.FlushAll {
				flushes++
			}
		}
	}
	if lanes < n/6 || eject < n/4 || keep < n/16 || long < n/32 {
		t.Errorf("of %d fleets %d change lanes, %d eject servers, %d and keep their keys, %d and for long", n, lanes, eject, keep, long)
	}
	if joins < n/4 || joins > n/2 {
		t.Errorf("of %d fleets %d join reads", n, joins)
	}
	if fleets < n/3 || fleets > n/2 || misses < fleets/3 || flushes < fleets/6 {
		t.Errorf("of %d fleets %d speak memcached, %d with misses for errors, %d with flush_all", n, fleets, misses, flushes)
	}
}

// TestSeedsInPeace: where nothing goes wrong every request gets its own answer.
func TestSeedsInPeace(t *testing.T) {
	t.Parallel()
	run(t, seeds(160), func(i int) Config { return fleet(uint64(2*i + 2)) })
}

// unreached are the counters of what fleets do not do.
var unreached = map[string]bool{"clients_refused": true, "clients_idle": true}

// TestSeedsInStorms: whatever goes wrong, a request gets its own answer or an error that says why, or
// its connection ends; and once it is over all is as before.
func TestSeedsInStorms(t *testing.T) {
	t.Parallel()
	sum := run(t, seeds(160), func(i int) Config { return fleet(uint64(2*i + 1)) })
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
		sum := run(t, seeds(6), func(k int) Config {
			c := FromSeed(uint64(1000*i+k), false)
			c.Faults, c.FaultOnce = Fault(1)<<i, 60
			return c
		})
		if sum.Faults == 0 {
			t.Errorf("fault %d never happened", i)
		}
		if sum.Answers < sum.Requests/4 {
			t.Errorf("fault %d: only %d of %d requests were answered", i, sum.Answers, sum.Requests)
		}
	}
}

// TestHandshakeInPieces: servers answer AUTH before SELECT has come, and break off in the middle of
// an answer; the next connection must not be judged by what the last one said.
func TestHandshakeInPieces(t *testing.T) {
	t.Parallel()
	for _, faults := range []Fault{0, HalfAnswer | Garbage | Cut} {
		run(t, seeds(10), func(i int) Config {
			c := small(uint64(i + 1))
			c.Auth, c.User, c.Database, c.Chunk = "open sesame", "ali", 7, 1+i%9
			c.Requests, c.Faults, c.FaultOnce = 30, faults, 5
			return c
		})
	}
}
