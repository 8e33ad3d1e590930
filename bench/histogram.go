package main

import (
	"math/bits"
	"time"
)

// exact is up to how many microseconds a histogram is exact; above, by one part in exact/2.
const exact = 1024

// histogram counts latencies. Its zero value is empty, and it has one size whatever it counts.
type histogram struct {
	counts [exact + 32*exact/2]uint64
	total  uint64
}

// add counts a latency n times.
func (h *histogram) add(d time.Duration, n int) {
	us := min(uint64(max(d.Microseconds(), 0)), 1<<31)
	h.counts[bucket(us)] += uint64(n)
	h.total += uint64(n)
}

// bucket returns where a latency is counted: each doubling above exact has exact/2 buckets.
func bucket(us uint64) int {
	if us < exact {
		return int(us)
	}
	shift := bits.Len64(us) - bits.Len64(exact-1)
	return exact + (shift-1)*exact/2 + int(us>>shift) - exact/2
}

// least returns the least latency that is counted in a bucket, in microseconds.
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
			return float64(least(i)) / 1e3
		}
	}
	return 0
}
