package bytebuf

import "slices"

// large are the mappings beyond the classes that are kept for reuse, the one given back last at the end. A fresh one
// costs a fault for each of its pages, several times what it takes to read bytes into it.
type large struct {
	free [][]byte
	idle int // as in class: the first ones, that nobody needed
}

// tooLarge is by how much a kept mapping may be larger than what is asked for.
const tooLarge = 16

// find is where the last one is that fits n bytes, negative if there is none.
func (l *large) find(n int) int {
	for i := len(l.free) - 1; i >= 0; i-- {
		if c := cap(l.free[i]); c >= n && c <= tooLarge*n {
			return i
		}
	}
	return -1
}

// fits says that a kept one has room for n bytes.
func (l *large) fits(n int) bool { return l.find(n) >= 0 }

// takeLarge lends one that is kept; nil if none fits.
func (p *Pool) takeLarge(n int) []byte {
	l := &p.large
	i := l.find(n)
	if i < 0 {
		return nil
	}
	b := l.free[i]
	l.free = slices.Delete(l.free, i, i+1)
	l.idle = min(l.idle, i)
	p.mapped -= int64(cap(b))
	return b
}

// keepLarge takes one back.
func (p *Pool) keepLarge(b []byte) {
	p.large.free = append(p.large.free, b)
	p.mapped += int64(cap(b))
}

// trimLarge gives back those that nobody needed since it was called last.
func (p *Pool) trimLarge() {
	l := &p.large
	for _, b := range l.free[:l.idle] {
		p.mapped -= int64(cap(b))
		unmapMemory(b[:cap(b)])
	}
	l.free = slices.Delete(l.free, 0, l.idle)
	l.idle = len(l.free)
}
