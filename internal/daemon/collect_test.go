package daemon

import "testing"

// TestWantsCollection: one collection follows each load, none comes during it, and none without a reason.
func TestWantsCollection(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name        string
		before, now heap
		ours        uint64
		want        bool
	}{
		{"under load Go collects by itself", heap{7, 30 * mib, 20 * mib}, heap{8, 39 * mib, 20 * mib}, 3, false},
		{"the load has ended just after a collection", heap{8, 21 * mib, 20 * mib}, heap{8, 21 * mib, 20 * mib}, 3, true},
		{"that has been done", heap{9, 5 * mib, 5 * mib}, heap{9, 5 * mib, 5 * mib}, 9, false},
		{"requests allocate little", heap{9, 5 * mib, 5 * mib}, heap{9, 12 * mib, 5 * mib}, 9, false},
		{"a reload has made garbage", heap{9, 5 * mib, 5 * mib}, heap{9, 14 * mib, 5 * mib}, 9, true},
	} {
		if got := wantsCollection(c.before, c.now, c.ours); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if h := readHeap(); h.objects == 0 {
		t.Errorf("the heap is not read: %+v", h)
	}
}
