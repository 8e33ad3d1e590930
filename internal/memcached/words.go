package memcached

import (
	"encoding/binary"
	"math/bits"
)

// split finds the words of a line: the first most of them, and how many there are. clean says that the
// line has no control characters but its end.
//
// The server would accept some. A NUL ends the line for it, so that words behind would be seen here and
// not there; the others it takes for parts of words and repeats in replies, where a CR is not expected.
func (p *RequestParser) split(line []byte, most int) (words int, clean bool) {
	end := len(line) - 1
	if end > 0 && line[end-1] == '\r' {
		end--
	}
	clean = true
	tokens, start := p.Tokens, 0
	for at := 0; ; at += 8 {
		for m := notVisible(eight(line, at)); m != 0; m &= m - 1 {
			i := at + bits.TrailingZeros64(m)/8
			if i < end && line[i] != ' ' {
				clean = false
				continue
			}
			if i > start {
				if words++; words <= most {
					tokens = append(tokens, Arg{start, i - start})
				}
			}
			if i == end { // the line's end is a control character too
				p.Tokens = tokens
				return words, clean
			}
			start = i + 1
		}
	}
}

// eight returns the bytes of b from at on, the first of them lowest; zeros where b has ended.
func eight(b []byte, at int) uint64 {
	if len(b) >= at+8 {
		return binary.LittleEndian.Uint64(b[at:])
	}
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b[len(b)-8:]) >> (8 * (at + 8 - len(b)))
	}
	var w uint64
	for i, c := range b[at:] {
		w |= uint64(c) << (8 * i)
	}
	return w
}

// notVisible sets the highest bit of those of the eight bytes of w that are a space, a control character or DEL, and
// no others. Adding to the low seven bits of each byte sets the eighth exactly if they reach a bound.
func notVisible(w uint64) uint64 {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	low := w &^ high
	visible := low + (0x80-' '-1)*ones
	del := low + ones
	return (del | ^visible) &^ w & high
}
