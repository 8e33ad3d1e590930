// Package bytebuf has the data plane's memory: size-classed buffers and the queues of unsent bytes
// made of them.
//
// A Pool belongs to one worker and is loop-confined, as is every buffer it lends. Small buffers come
// from the Go heap. Buffers of 64 KiB and more are mapped, so that they go back to the system when a
// large value has passed, whatever the collector thinks.
package bytebuf

import "math/bits"

const (
	minClass = 6  // 64 bytes, the smallest buffer
	maxClass = 22 // 4 MiB: what is larger has any size, and is kept one by one
	mapClass = 16 // 64 KiB: from here on buffers are mapped

	// MapSize is the size from which a buffer is mapped memory.
	MapSize = 1 << mapClass

	// keepHeap and keepMapped bound the free bytes that a pool keeps for reuse. What does not fit
	// goes back at once; what fits and is not used goes back with Trim.
	keepHeap   = 8 << 20
	keepMapped = 128 << 20
)

// Pool lends buffers. A buffer is a slice whose capacity is its class; the borrower may change its
// length and bytes, must not append beyond its capacity, and gives back the slice from its first
// byte. The zero value is ready.
type Pool struct {
	// Mangle overwrites buffers that come back, so that tests see a use after the loan ended.
	Mangle bool

	classes [maxClass + 1]class
	inUse   int64 // bytes lent
	heap    int64 // bytes free on the heap
	mapped  int64 // bytes free in mappings
	large   large
}

// class is the free list of one size, last in first out: the warmest buffer goes out first.
type class struct {
	free [][]byte
	idle int // the shortest the list has been since the last Trim: buffers nobody needed
}

// classOf returns the class of a buffer of n bytes.
func classOf(n int) int {
	if n <= 1<<minClass {
		return minClass
	}
	return bits.Len(uint(n - 1))
}

// Get lends an empty buffer with room for at least n bytes.
func (p *Pool) Get(n int) []byte {
	k := classOf(n)
	if k > maxClass {
		b := p.takeLarge(n)
		if b == nil {
			b = mapMemory(roundUp(n))
		}
		p.inUse += int64(cap(b))
		return b[:0]
	}
	p.inUse += 1 << k
	c := &p.classes[k]
	if i := len(c.free) - 1; i >= 0 {
		b := c.free[i]
		c.free[i] = nil
		c.free = c.free[:i]
		if i < c.idle {
			c.idle = i
		}
		p.account(k, -1)
		return b
	}
	if k >= mapClass {
		return mapMemory(1 << k)[:0]
	}
	return make([]byte, 0, 1<<k)
}

// Put takes a buffer back. A nil buffer is ignored.
func (p *Pool) Put(b []byte) {
	size := cap(b)
	if size == 0 {
		return
	}
	p.inUse -= int64(size)
	if p.Mangle {
		mangle(b[:size])
	}
	k := classOf(size)
	if k >= mapClass && p.mapped+int64(size) > keepMapped {
		unmapMemory(b[:size])
		return
	}
	if k > maxClass {
		p.keepLarge(b[:0])
		return
	}
	if k < mapClass && p.heap+int64(size) > keepHeap {
		return
	}
	p.account(k, 1)
	p.classes[k].free = append(p.classes[k].free, b[:0])
}

// Grow returns a buffer with b's bytes and room for n more; b is the pool's afterwards. Large mappings are replaced by
// one that is kept, or grow in place or are moved without copying where the system can do that.
func (p *Pool) Grow(b []byte, n int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	if cap(b) >= MapSize && need > 1<<maxClass && (need < 2*len(b) || !p.large.fits(need)) {
		if moved := remapMemory(b[:cap(b)], roundUp(need)); moved != nil {
			p.inUse += int64(cap(moved) - cap(b))
			return moved[:len(b)]
		}
	}
	bigger := append(p.Get(need), b...)
	p.Put(b)
	return bigger
}

// Charge counts n bytes as in use that are not the pool's; negative n ends that. It is for what grows
// with a buffer but cannot be one.
func (p *Pool) Charge(n int64) { p.inUse += n }

// InUse is the number of bytes lent, counted in whole buffers, and of those charged.
func (p *Pool) InUse() int64 { return p.inUse }

// Free is the number of bytes kept for reuse.
func (p *Pool) Free() int64 { return p.heap + p.mapped }

// Trim gives back the buffers that nobody needed since the last Trim. The worker calls it about once
// a second while Free is not zero.
func (p *Pool) Trim() {
	for k := minClass; k <= maxClass; k++ {
		c := &p.classes[k]
		keep := len(c.free) - c.idle
		for i := keep; i < len(c.free); i++ {
			if k >= mapClass {
				unmapMemory(c.free[i][:1<<k])
			}
			c.free[i] = nil
		}
		p.account(k, keep-len(c.free))
		c.free = c.free[:keep]
		c.idle = keep
	}
	p.trimLarge()
}

// account notes that n buffers of class k became free.
func (p *Pool) account(k, n int) {
	if k >= mapClass {
		p.mapped += int64(n) << k
	} else {
		p.heap += int64(n) << k
	}
}

// roundUp rounds to whole mapping units.
func roundUp(n int) int { return (n + MapSize - 1) &^ (MapSize - 1) }

func mangle(b []byte) {
	for i := range b {
		b[i] = 0xdd
	}
}
