package daemon

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// collectEvery is how often Go's heap is looked at.
	collectEvery = 10 * time.Second
	// worthCollecting is as much garbage as a collection is worth that Go would not make yet.
	worthCollecting = 8 << 20
)

// heap is what Go's heap looks like.
type heap struct {
	collections uint64 // ever
	objects     uint64 // bytes, garbage included
	live        uint64 // bytes, as the last collection has found
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(s)
	return heap{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}

// wantsCollection says whether there may be garbage that Go leaves lying. Under load it collects by itself. When the load has
// ended the workers give up what they do not need any more, and nothing is allocated: then Go would wait two minutes.
// before is the heap some time ago, ours the number of collections when the last one was made here.
func wantsCollection(before, now heap, ours uint64) bool {
	quiet := now.collections == before.collections
	return quiet && (now.collections != ours || now.objects > now.live+worthCollecting)
}

// collect has memory go back to the system soon after a load, until end is closed.
func collect(end <-chan struct{}) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	before := readHeap()
	ours := before.collections
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		now := readHeap()
		if wantsCollection(before, now, ours) {
			debug.FreeOSMemory() // what a mere collection frees Go may keep for some collections more
			now = readHeap()
			ours = now.collections
		}
		before = now
	}
}
