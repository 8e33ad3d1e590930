package memcached

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSplit holds split against the plain way, byte by byte, for lines of every length with words,
// spaces and bytes of all kinds at every place.
func TestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		line := make([]byte, r.IntN(40))
		for i := range line {
			switch r.IntN(8) {
			case 0, 1:
				line[i] = ' '
			case 2:
				line[i] = byte(r.Uint32())
			default:
				line[i] = "az~!\x80\xff\x7f\x1f09"[r.IntN(10)]
			}
		}
		line = bytes.ReplaceAll(line, []byte("\n"), []byte("n"))
		body := line
		line = append(line, '\n')
		if r.IntN(2) == 0 {
			line = append(slices.Clone(body), "\r\n"...)
		} else if n := len(body); n > 0 && body[n-1] == '\r' {
			body = body[:n-1] // it is part of the line's end
		}
		most := 1 + r.IntN(6)
		var want []Arg
		words, clean := 0, true
		for i := 0; i < len(body); {
			if body[i] == ' ' {
				i++
				continue
			}
			start := i
			for ; i < len(body) && body[i] != ' '; i++ {
				clean = clean && body[i] >= ' ' && body[i] != 0x7f
			}
			if words++; words <= most {
				want = append(want, Arg{start, i - start})
			}
		}
		var p RequestParser
		gotWords, gotClean := p.split(line, most)
		if gotWords != words || gotClean != clean || !slices.Equal(p.Tokens, want) {
			t.Fatalf("%q: %d words %v, clean %v; not %d words %v, clean %v", line, gotWords, p.Tokens, gotClean, words, want, clean)
		}
	}
}
