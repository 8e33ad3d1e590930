package main

import (
	"math/bits"
	"time"
)

// unit is what a histogram counts in, and exact up to how many units it is exact; above, by one part in exact/2.
const (
	unit  = 100 * time.Nanosecond
	exact = 1024
)

// histogram counts latencies. Its zero value is empty, and it has one size whatever it counts.
type histogram struct {
	counts [exact + 32*exact/2]uint64
	total  uint64
	most   time.Duration
}

// add counts a latency n times.
func (h *histogram) add(d time.Duration, n int) {
	units := min(uint64(max(d/unit, 0)), 1<<36)
	h.counts[bucket(units)] += uint64(n)
	h.total += uint64(n)
	h.most = max(h.most, d)
}

// bucket returns where a latency is counted: each doubling above exact has exact/2 buckets.
func bucket(units uint64) int {
	if units < exact {
		return int(units)
	}
	shift := bits.Len64(units) - bits.Len64(exact-1)
	return exact + (shift-1)*exact/2 + int(units>>shift) - exact/2
}

// least returns the least latency that is counted in a bucket, in units.
func least(i int) uint64 {
	if i < exact {
		return uint64(i)
	}
	i -= exact
	shift := i/(exact/2) + 1
	return uint64(i%(exact/2)+exact/2) << shift
}

// quantile returns the latency in milliseconds that the part q of all does not exceed; 0 if there are
// none.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return milliseconds(time.Duration(least(i)) * unit)
		}
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
