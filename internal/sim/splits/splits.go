// Package splits cuts streams into pieces, as networks do, to see that a parser does not mind.
//
// Only tests import it, those of the codecs above all. It keeps nothing between calls.
package splits

import "testing"

// longest is the length in bytes of a stream that is still cut at each byte.
const longest = 1000

// Every calls check with the cuts of a stream of n bytes: with none, with each byte if there are no more
// than 1000, with each pair of bytes if there are fewer than pairs, and with all bytes at once.
func Every(n, pairs int, check func(cuts ...int)) {
	check()
	all := make([]int, 0, n)
	for i := 1; i < n; i++ {
		all = append(all, i)
		if n > longest {
			continue
		}
		check(i)
		for k := i + 1; k < n && n < pairs; k++ {
			check(i, k)
		}
	}
	check(all...)
}

// Two turns two numbers into places to cut n bytes at, for fuzzing.
func Two(a, b uint16, n int) []int {
	x, y := int(a)%(n+1), int(b)%(n+1)
	return []int{min(x, y), max(x, y)}
}

// ReplyParser is what the codecs' parsers of replies have in common.
type ReplyParser interface {
	Next(b []byte) (n int, done bool, err error)
	Begun() bool
	Bulk() int
}

// Ends returns where the replies of a stream end, fed to p in pieces that end at the cuts. -1 at the end
// stands for an error, -2 for a reply that is not whole.
func Ends(t testing.TB, p ReplyParser, stream []byte, cuts ...int) (at []int) {
	t.Helper()
	start := 0
	for _, cut := range append(cuts, len(stream)) {
		for start < cut {
			b := stream[start:cut]
			n, done, err := p.Next(b)
			if err != nil {
				return append(at, -1)
			}
			if n < 0 || n > len(b) || !done && n != len(b) || done && n == 0 {
				t.Fatalf("%q: %d bytes, done %v", b, n, done)
			}
			start += n
			if done {
				at = append(at, start)
			}
			if p.Begun() == done || done && p.Bulk() != 0 {
				t.Fatalf("%q: done %v, begun %v, %d bytes of data to come", b, done, p.Begun(), p.Bulk())
			}
		}
	}
	if p.Begun() {
		at = append(at, -2)
	}
	return at
}
