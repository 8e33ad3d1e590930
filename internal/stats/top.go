package stats

import (
	"cmp"
	"slices"
)

// Top finds the keys with the most weight among any number of keys, in memory for a few: the sketch called space-saving.
// A key that is not known takes the place of the lightest and begins with its weight, by which it may be
// overestimated. It belongs to one goroutine, and is for samples: it looks at all keys that it has.
type Top struct {
	most  int
	heavy []entry
	total uint64
}

type entry struct {
	key                []byte
	weight, over, peak uint64
}

// Heavy is a key with its weight.
type Heavy struct {
	Key    string
	Weight uint64
	Over   uint64 // how much of the weight may be that of keys which were here before
	Peak   uint64 // the largest single weight
}

// NewTop returns a sketch of so many keys.
func NewTop(most int) *Top { return &Top{most: most} }

// Add gives a key more weight.
func (t *Top) Add(key []byte, weight uint64) {
	t.total += weight
	lightest := 0
	for i := range t.heavy {
		e := &t.heavy[i]
		if string(e.key) == string(key) {
			e.weight += weight
			e.peak = max(e.peak, weight)
			return
		}
		if e.weight < t.heavy[lightest].weight {
			lightest = i
		}
	}
	over := uint64(0)
	if len(t.heavy) < t.most {
		lightest = len(t.heavy)
		t.heavy = append(t.heavy, entry{})
	} else {
		over = t.heavy[lightest].weight
	}
	e := &t.heavy[lightest]
	e.key = append(e.key[:0], key...)
	e.weight, e.over, e.peak = over+weight, over, weight
}

// join gives a key all that another sketch has of it.
func (t *Top) join(h Heavy) {
	t.total += h.Weight
	for i := range t.heavy {
		if e := &t.heavy[i]; string(e.key) == h.Key {
			e.weight += h.Weight
			e.over += h.Over
			e.peak = max(e.peak, h.Peak)
			return
		}
	}
	t.heavy = append(t.heavy, entry{[]byte(h.Key), h.Weight, h.Over, h.Peak})
}

// Halve takes half of every weight away, so that what was heavy long ago makes room. Keys without weight are dropped.
func (t *Top) Halve() {
	t.total /= 2
	for i := range t.heavy {
		t.heavy[i].weight /= 2
		t.heavy[i].over /= 2
	}
	t.heavy = slices.DeleteFunc(t.heavy, func(e entry) bool { return e.weight == 0 })
}

// Total is the weight of all keys together.
func (t *Top) Total() uint64 { return t.total }

// List returns the keys, the heaviest first.
func (t *Top) List() (all []Heavy) {
	for _, e := range t.heavy {
		all = append(all, Heavy{string(e.key), e.weight, e.over, e.peak})
	}
	slices.SortFunc(all, func(a, b Heavy) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Key, b.Key))
	})
	return all
}
