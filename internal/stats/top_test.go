package stats

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Keys that have more than their share are found among many, and no weight is further off than the sketch says.
func TestTopFindsTheHeavy(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	top, truth, total := NewTop(64), map[string]uint64{}, uint64(0)
	for range 200_000 {
		key := fmt.Sprint("cold", r.IntN(50_000))
		if n := r.IntN(100); n < 20 {
			key = fmt.Sprint("hot", n/4) // five keys, each of four in a hundred
		}
		weight := 1 + r.Uint64N(3)
		top.Add([]byte(key), weight)
		truth[key] += weight
		total += weight
	}
	list := top.List()
	if len(list) != 64 || top.Total() != total {
		t.Fatalf("%d keys, %d of %d", len(list), top.Total(), total)
	}
	for i, h := range list {
		if h.Weight < truth[h.Key] || h.Weight-h.Over > truth[h.Key] {
			t.Errorf("%s weighs %d, of which %d may be others'; truly %d", h.Key, h.Weight, h.Over, truth[h.Key])
		}
		if i < 5 && h.Key[:3] != "hot" || i > 0 && h.Weight > list[i-1].Weight {
			t.Errorf("place %d has %+v", i, h)
		}
	}
}

// What was heavy long ago goes.
func TestTopForgets(t *testing.T) {
	top := NewTop(2)
	top.Add([]byte("old"), 1000)
	top.Add([]byte("once"), 1)
	for range 9 {
		top.Halve()
	}
	if list := top.List(); len(list) != 1 || list[0].Weight != 1 || list[0].Peak != 1000 {
		t.Errorf("left is %+v", list)
	}
	top.Halve()
	for _, key := range []string{"a", "b", "a", "c"} {
		top.Add([]byte(key), 1)
	}
	if list := top.List(); len(list) != 2 || list[0] != (Heavy{"a", 2, 0, 1}) || list[1] != (Heavy{"c", 2, 1, 1}) {
		t.Errorf("%+v", list)
	}
}
