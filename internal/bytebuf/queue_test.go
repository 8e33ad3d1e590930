package bytebuf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Bytes are found wherever they are, and no others are taken for them.
func TestHas(t *testing.T) {
	m := newModel(t)
	m.do(0, 1000) // 24 bytes are left in the first buffer
	m.do(0, 500)
	m.do(1, 100)
	m.q.Consume(&m.pool, 10)
	m.want = m.want[10:]
	for _, size := range []int{1, 30, 700} {
		for at := range len(m.want) - size + 1 {
			b := bytes.Clone(m.want[at : at+size])
			before := len(m.want) - at
			if !m.q.Has(before, b) {
				t.Fatalf("%d bytes, %d before the end, are not found", size, before)
			}
			for _, i := range []int{0, size / 2, size - 1} {
				b[i]++
				if m.q.Has(before, b) {
					t.Fatalf("%d bytes, %d before the end: one differs and is not seen", size, before)
				}
				b[i]--
			}
		}
	}
	if m.q.Has(len(m.want)+1, m.want) || m.q.Has(3, m.want[len(m.want)-4:]) {
		t.Error("bytes are found that are not there")
	}
	m.q.Clear(&m.pool)
	if m.q.Has(1, []byte{m.want[0]}) {
		t.Error("an empty queue has bytes")
	}
}

// model is a queue beside what it should be: a plain slice.
type model struct {
	t    testing.TB
	pool Pool
	q    Queue
	want []byte
	iov  [][]byte
	next byte // so that no two runs of bytes are alike
}

func newModel(t testing.TB) *model {
	return &model{t: t, pool: Pool{Mangle: true}, iov: make([][]byte, 0, 1<<12)}
}

func (m *model) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		m.next = m.next*7 + 13
		b[i] = m.next
	}
	return b
}

// do does operation op with a size that is meant for it.
func (m *model) do(op byte, n int) string {
	switch op % 7 {
	case 0:
		b := m.bytes(n)
		m.q.Append(&m.pool, b)
		m.want = append(m.want, b...)
		return fmt.Sprintf("Append %d", n)
	case 1:
		b := m.bytes(n)
		m.q.Take(&m.pool, append(m.pool.Get(n), b...))
		m.want = append(m.want, b...)
		return fmt.Sprintf("Take %d", n)
	case 2, 3:
		room := m.q.Reserve(&m.pool, n+1)
		if len(room) < 1 || len(room) > n+1 || cap(room) != len(room) {
			m.t.Fatalf("Reserve %d gives room for %d bytes, capacity %d", n+1, len(room), cap(room))
		}
		k := len(room)
		if op%7 == 3 {
			k = n % (len(room) + 1)
		}
		b := m.bytes(k)
		copy(room, b)
		m.q.Commit(&m.pool, k)
		m.want = append(m.want, b...)
		return fmt.Sprintf("Reserve %d, Commit %d", n+1, k)
	case 4:
		k := min(n, len(m.want))
		m.q.Consume(&m.pool, k)
		m.want = m.want[k:]
		return fmt.Sprintf("Consume %d", k)
	case 5:
		k := min(n, len(m.want))
		m.q.Cut(&m.pool, k)
		m.want = m.want[:len(m.want)-k]
		return fmt.Sprintf("Cut %d", k)
	default:
		if n%64 == 0 {
			m.q.Clear(&m.pool)
			m.want = nil
			return "Clear"
		}
		m.q.Reserve(&m.pool, n+1) // and never a Commit: the read had nothing
		return fmt.Sprintf("Reserve %d", n+1)
	}
}

func (m *model) check(after string) {
	m.t.Helper()
	if m.q.Len() != len(m.want) {
		m.t.Fatalf("after %s: %d bytes, want %d", after, m.q.Len(), len(m.want))
	}
	iov := m.q.Buffers(m.iov[:0], 1<<30)
	for _, b := range iov {
		if len(b) == 0 {
			m.t.Fatalf("after %s: an empty buffer is to be sent", after)
		}
	}
	rest := m.want
	for _, b := range iov {
		if !bytes.HasPrefix(rest, b) {
			m.t.Fatalf("after %s: the bytes are not those that were put in", after)
		}
		rest = rest[len(b):]
	}
	if len(rest) > 0 {
		m.t.Fatalf("after %s: the last %d bytes are not to be sent", after, len(rest))
	}
}

func (m *model) end() {
	m.t.Helper()
	m.q.Consume(&m.pool, m.q.Len())
	if m.pool.InUse() != 0 {
		m.t.Fatalf("an empty queue holds %d bytes", m.pool.InUse())
	}
	m.q.Clear(&m.pool)
	if m.pool.InUse() != 0 {
		m.t.Fatalf("a cleared queue holds %d bytes", m.pool.InUse())
	}
}

func TestQueueIsASliceOfBytes(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t)
		top := 1 << r.IntN(19)
		for range 300 {
			if len(m.want) > 1<<20 {
				m.do(4, 1<<20)
			}
			m.check(m.do(byte(r.Uint32()), r.IntN(top)))
		}
		m.end()
	}
}

func TestConsumeAtAllSizes(t *testing.T) {
	for n := 1; n < 5000; n += 7 {
		emptyBy(t, 4, n, 0)
	}
}

func TestCutAtAllSizes(t *testing.T) {
	for n := 1; n < 5000; n += 7 {
		emptyBy(t, 5, n, 10)
	}
}

// emptyBy has an operation take n bytes at a time from a queue of several buffers, of which some bytes are consumed
// before. Nothing may be held in the end.
func emptyBy(t *testing.T, op byte, n, consumed int) {
	t.Helper()
	m := newModel(t)
	m.do(0, 100)
	m.do(1, 3000)
	m.do(0, 2000)
	m.do(4, consumed)
	last := ""
	for len(m.want) > 0 {
		last = m.do(op, n)
		m.check(last)
	}
	if m.pool.InUse() != 0 {
		t.Fatalf("%s in steps of %d: an empty queue holds %d bytes", last, n, m.pool.InUse())
	}
	m.end()
}

func TestBuffersKeepTheirBounds(t *testing.T) {
	m := newModel(t)
	for range 10 {
		m.do(1, 1000)
	}
	if got := m.q.Buffers(make([][]byte, 0, 3), 1<<20); len(got) != 3 {
		t.Errorf("%d slices for room for 3", len(got))
	}
	if got := m.q.Buffers(make([][]byte, 0, 20), 2500); len(got) != 3 {
		t.Errorf("%d slices of 1000 bytes for a limit of 2500", len(got))
	}
	if got := m.q.Buffers(make([][]byte, 0, 20), 0); len(got) != 0 {
		t.Errorf("%d slices for a limit of 0", len(got))
	}
	before := append(make([][]byte, 0, 4), []byte("x"))
	if got := m.q.Buffers(before, 1<<20); len(got) != 4 || string(got[0]) != "x" {
		t.Errorf("%d slices, of which the first is %q", len(got), got[0])
	}
	m.end()
}

// A queue that is never empty must not keep a list of all the buffers it ever had.
func TestListOfBuffersStaysShort(t *testing.T) {
	m := newModel(t)
	m.do(1, 100)
	for range 10000 {
		m.do(1, 100)
		m.do(4, 100)
	}
	m.check("a long life")
	if n := cap(m.q.segs); n > 256 {
		t.Errorf("the list has room for %d buffers; 1 is in use", n)
	}
	m.end()
}

func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 0, 10, 4, 0, 5, 1, 255, 255, 4, 200, 0})
	f.Add([]byte{2, 255, 255, 3, 1, 0, 6, 0, 1, 0, 0, 9, 4, 255, 255})
	f.Add([]byte{0, 4, 10, 0, 4, 0, 5, 4, 1, 0, 0, 5, 5, 255, 255})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := newModel(t)
		for len(ops) >= 3 && len(m.want) < 8<<20 {
			n := int(ops[1])<<8 | int(ops[2])
			if ops[0] >= 128 {
				n *= 9 // across the border of mapped buffers
			}
			m.check(m.do(ops[0], n))
			ops = ops[3:]
		}
		m.end()
	})
}

func BenchmarkQueue(b *testing.B) {
	var p Pool
	var q Queue
	data := make([]byte, 40)
	b.ReportAllocs()
	for i := range b.N {
		q.Append(&p, data)
		if i%16 == 15 {
			q.Consume(&p, q.Len())
		}
	}
}

// A queue that holds much again and again gets one buffer for it; one that no longer does, a small one.
func TestQueueRemembersItsSize(t *testing.T) {
	p, q := &Pool{}, &Queue{}
	buffers := func(size int) int {
		for range size / 50 {
			q.Append(p, make([]byte, 50))
		}
		n := len(q.Buffers(make([][]byte, 0, 64), 1<<30))
		q.Consume(p, q.Len())
		return n
	}
	if first, second := buffers(4000), buffers(4000); first < 2 || second != 1 {
		t.Errorf("4000 bytes were in %d buffers, then in %d; want several, then one", first, second)
	}
	for range 10 {
		buffers(50)
	}
	q.Append(p, []byte("x"))
	if got := p.InUse(); got != firstSegment {
		t.Errorf("a queue of small things has a buffer of %d bytes, want %d", got, firstSegment)
	}
}
