package stats

import (
	"testing"
	"time"
)

// Every time is in the first bucket whose bound is not less.
func TestBuckets(t *testing.T) {
	for _, d := range []time.Duration{
		-5, 0, 1, leastBucket - 1, leastBucket, leastBucket + 1, 32 * time.Microsecond, 32*time.Microsecond + 1,
		time.Millisecond, time.Second, Bound(Buckets - 2), Bound(Buckets-2) + 1, time.Hour, 1<<63 - 1,
	} {
		want := 0
		for want < Buckets-1 && d > Bound(want) {
			want++
		}
		if got := bucketOf(d); got != want {
			t.Errorf("%v is in bucket %d, want %d", d, got, want)
		}
	}
	if longest := Bound(Buckets - 2); longest < 10*time.Second {
		t.Errorf("the longest bound is %v", longest)
	}
}

func TestLatency(t *testing.T) {
	l := new(Latency)
	l.Observe(Read, 10*time.Microsecond, time.Millisecond, 3)
	l.Observe(Read, time.Hour, 0, 1)
	l.Observe(Write, -1, 20*time.Microsecond, 2)
	if n := l.ReadAll()[Read][Waiting].Count(); n != 0 {
		t.Errorf("%d requests are published before anybody has asked", n)
	}
	v := l.Copy()
	if *l.ReadAll() != *v {
		t.Error("what was published is not what was copied")
	}
	waiting, serving := v[Read][Waiting], v[Read][Serving]
	if waiting.Counts[0] != 3 || waiting.Counts[Buckets-1] != 1 || waiting.Count() != 4 ||
		waiting.Sum != uint64(time.Hour+30*time.Microsecond) {
		t.Errorf("waiting: %+v", waiting)
	}
	if serving.Counts[bucketOf(time.Millisecond)] != 3 || serving.Counts[0] != 1 || serving.Sum != uint64(3*time.Millisecond) {
		t.Errorf("serving: %+v", serving)
	}
	if w := v[Write][Waiting]; w.Count() != 2 || w.Sum != 0 {
		t.Errorf("a time below zero: %+v", w)
	}
	if n := testing.AllocsPerRun(100, func() { l.Observe(Other, 1, 1, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
