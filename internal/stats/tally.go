package stats

import "sync/atomic"

// Tally is a number that several workers change: what a limit for the whole process is compared with. It is written when
// connections come and go, never for a request.
type Tally struct{ n atomic.Int64 }

// Add changes the number by n and returns what it is now.
func (t *Tally) Add(n int64) int64 { return t.n.Add(n) }

// Load is the number.
func (t *Tally) Load() int64 { return t.n.Load() }

// Plus adds what another worker has counted.
func (v *Values) Plus(w Values) {
	for i := range v {
		v[i] += w[i]
	}
}

// Plus adds what another worker has measured.
func (l *Latencies) Plus(m *Latencies) {
	for c := range l {
		for p := range l[c] {
			h, more := &l[c][p], &m[c][p]
			for i := range h.Counts {
				h.Counts[i] += more.Counts[i]
			}
			h.Sum += more.Sum
		}
	}
}

// Merge joins what several workers have found, in the form of List: a key's weights add up. At most so many are left.
func Merge(most int, lists ...[]Heavy) []Heavy {
	var t Top
	for _, list := range lists {
		for _, h := range list {
			t.join(h)
		}
	}
	all := t.List()
	return all[:min(len(all), most)]
}
