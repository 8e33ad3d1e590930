package bytebuf

import (
	"bytes"
	"testing"
)

func TestClasses(t *testing.T) {
	var p Pool
	for _, c := range []struct{ want, size int }{
		{0, 64},
		{1, 64},
		{64, 64},
		{65, 128},
		{1000, 1024},
		{65535, 65536},
		{65536, 65536},
		{65537, 131072},
		{4 << 20, 4 << 20},
		{4<<20 + 1, 4<<20 + 64<<10},
		{5 << 20, 5 << 20},
	} {
		b := p.Get(c.want)
		if len(b) != 0 || cap(b) != c.size {
			t.Errorf("Get(%d) has length %d and capacity %d, want %d", c.want, len(b), cap(b), c.size)
		}
		if p.InUse() != int64(c.size) {
			t.Errorf("after Get(%d) %d bytes are in use, want %d", c.want, p.InUse(), c.size)
		}
		p.Put(b[:1])
		if p.InUse() != 0 {
			t.Errorf("after Put of %d bytes %d are in use", c.size, p.InUse())
		}
	}
	p.Put(nil)
	if p.InUse() != 0 {
		t.Error("nil counts")
	}
}

func TestReuseIsLastInFirstOut(t *testing.T) {
	var p Pool
	a, b := p.Get(100), p.Get(100)
	first, second := &a[:1][0], &b[:1][0]
	p.Put(a)
	p.Put(b)
	if p.Free() != 256 {
		t.Errorf("%d bytes are free", p.Free())
	}
	c, d := p.Get(65), p.Get(128)
	if &c[:1][0] != second || &d[:1][0] != first {
		t.Error("the warmest buffer did not go out first")
	}
	if p.Free() != 0 {
		t.Errorf("%d bytes are free", p.Free())
	}
	p.Put(c)
	p.Put(d)
}

func TestMangle(t *testing.T) {
	p := Pool{Mangle: true}
	b := append(p.Get(10), "0123456789"...)
	p.Put(b)
	if want := bytes.Repeat([]byte{0xdd}, 64); !bytes.Equal(b[:64], want) {
		t.Errorf("a buffer that was given back holds %q", b[:64])
	}
}

func TestFreeBytesHaveACeiling(t *testing.T) {
	var p Pool
	for _, c := range []struct {
		size int
		keep int64
	}{{32 << 10, keepHeap}, {1 << 20, keepMapped}} {
		var all [][]byte
		for n := int64(0); n < c.keep+int64(8*c.size); n += int64(c.size) {
			all = append(all, p.Get(c.size))
		}
		before := p.Free()
		for _, b := range all {
			p.Put(b)
		}
		if got := p.Free() - before; got != c.keep {
			t.Errorf("%d bytes in buffers of %d are kept, want %d", got, c.size, c.keep)
		}
	}
	if p.InUse() != 0 {
		t.Errorf("%d bytes are in use", p.InUse())
	}
}

func TestTrimGivesBackWhatNobodyNeeded(t *testing.T) {
	var p Pool
	lend := func(n int) {
		var all [][]byte
		for range n {
			all = append(all, p.Get(64<<10), p.Get(1<<10))
		}
		for _, b := range all {
			p.Put(b)
		}
	}
	const pair = 65 << 10
	lend(10)
	p.Trim() // all were in use since the beginning
	if p.Free() != 10*pair {
		t.Fatalf("%d bytes are free, want %d", p.Free(), 10*pair)
	}
	lend(4)
	p.Trim()
	if p.Free() != 4*pair {
		t.Fatalf("four pairs were needed, %d bytes are kept", p.Free())
	}
	p.Trim()
	if p.Free() != 0 {
		t.Fatalf("nothing was needed, %d bytes are kept", p.Free())
	}
	lend(2) // the pool goes on
	if p.Free() != 2*pair || p.InUse() != 0 {
		t.Fatalf("free %d, in use %d", p.Free(), p.InUse())
	}
}

// Growth keeps the bytes, in every way a buffer can grow: within its class, to another class, from
// the heap to a mapping, and by moving a mapping.
func TestGrow(t *testing.T) {
	p := Pool{Mangle: true}
	var want []byte
	b := p.Get(1)
	for i := 0; len(want) < 12<<20; i++ {
		more := bytes.Repeat([]byte{byte(i + 1)}, len(want)/3+1)
		old := cap(b)
		b = p.Grow(b, len(more))
		if cap(b)-len(b) < len(more) {
			t.Fatalf("no room for %d bytes: length %d, capacity %d", len(more), len(b), cap(b))
		}
		if cap(b) < old {
			t.Fatalf("the buffer shrank from %d to %d", old, cap(b))
		}
		b = append(b, more...)
		want = append(want, more...)
		if !bytes.Equal(b, want) {
			t.Fatalf("the bytes changed when the buffer grew from %d to %d", old, cap(b))
		}
		if p.InUse() != int64(cap(b)) {
			t.Fatalf("%d bytes are in use, the buffer has %d", p.InUse(), cap(b))
		}
	}
	p.Put(b)
	if p.InUse() != 0 {
		t.Errorf("%d bytes are in use", p.InUse())
	}
}

func TestPoolDoesNotAllocate(t *testing.T) {
	var p Pool
	if n := testing.AllocsPerRun(100, func() {
		a, b := p.Get(100), p.Get(100<<10)
		a = p.Grow(append(a, 1), 500)
		p.Put(a)
		p.Put(b)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPool(b *testing.B) {
	var p Pool
	for range b.N {
		p.Put(p.Get(1000))
	}
}
