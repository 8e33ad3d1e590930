package stats

import (
	"regexp"
	"testing"
)

func TestEveryCounterIsDescribed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for what, table := range map[string][]Descriptor{"pool": PoolTable[:], "server": append(ServerTable[:], GaugeTable[:]...)} {
		seen := map[string]bool{}
		for i, d := range table {
			if !name.MatchString(d.Name) || d.Help == "" {
				t.Errorf("%s counter %d: name %q, help %q", what, i, d.Name, d.Help)
			}
			if seen[d.Name] {
				t.Errorf("%s counters: %q twice", what, d.Name)
			}
			seen[d.Name] = true
		}
	}
}

func TestReadersSeeWhatWasPublished(t *testing.T) {
	b := NewPool()
	b.Inc(Requests)
	b.Add(Requests, 4)
	b.Inc(CrossServer)
	if b.Local(Requests) != 5 || b.Read(Requests) != 0 {
		t.Fatalf("before: local %d, public %d", b.Local(Requests), b.Read(Requests))
	}
	b.Publish()
	if b.Read(Requests) != 5 || b.Read(CrossServer) != 1 || b.Read(Fragments) != 0 {
		t.Fatalf("after: %d, %d, %d", b.Read(Requests), b.Read(CrossServer), b.Read(Fragments))
	}
	b.Inc(MemoryRefused) // the last of the table
	b.Publish()
	if b.Read(MemoryRefused) != 1 || b.Read(Requests) != 5 {
		t.Fatalf("after the second time: %d, %d", b.Read(MemoryRefused), b.Read(Requests))
	}
}

// Readers are on other goroutines: the race detector must have nothing to say, and nobody may see a
// count fall.
func TestReadersRunBeside(t *testing.T) {
	b := NewServer()
	done := make(chan error)
	go func() {
		last := uint64(0)
		for last < 10000 {
			n := b.Read(LateReplies)
			if n < last {
				t.Errorf("%d after %d", n, last)
				break
			}
			last = n
		}
		close(done)
	}()
	for range 10000 {
		b.Inc(LateReplies)
		b.Publish()
	}
	<-done
}

func TestCountingDoesNotAllocate(t *testing.T) {
	b := NewPool()
	if n := testing.AllocsPerRun(100, func() { b.Inc(Requests); b.Publish() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A gauge is what it was set to last; a copy is of the worker's own view, and readers see the published.
func TestGaugesAndCopies(t *testing.T) {
	b := NewServer()
	b.Inc(ServerRequests)
	b.Set(ServerQueued, 7)
	b.Set(ServerInFlightBytes, 9) // the last of the table
	b.Publish()
	b.Set(ServerQueued, 3)
	mine, public := b.Copy(), b.ReadAll()
	if mine[ServerQueued] != 3 || public[ServerQueued] != 7 || public[ServerInFlightBytes] != 9 || public[ServerRequests] != 1 {
		t.Errorf("copy %v, published %v", mine, public)
	}
}

func TestEjections(t *testing.T) {
	var e Ejections
	if e.Number() != 0 || e.Last() != 0 {
		t.Error("there was one before there was any")
	}
	e.Count(5)
	e.Count(8)
	e.CountSpared()
	if e.Number() != 2 || e.Last() != 8 || e.Spared() != 1 {
		t.Errorf("%d, the last at %d, spared %d times", e.Number(), e.Last(), e.Spared())
	}
}
