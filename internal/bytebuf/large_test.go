package bytebuf

import "testing"

const mib = 1 << 20

func start(b []byte) *byte { return &b[:1][0] }

// A large buffer that came back is lent again if it fits, also to one that grows, with its bytes.
func TestLargeReuse(t *testing.T) {
	var p Pool
	a, b := p.Get(100*mib), p.Get(20*mib)
	first, second := start(a), start(b)
	p.Put(a)
	p.Put(b)
	if got := p.Free(); got != 120*mib || p.InUse() != 0 {
		t.Fatalf("%d bytes are free, %d in use", got, p.InUse())
	}
	if got := p.Get(6*mib - 1); start(got) != second {
		t.Error("the one that came back last is not lent first")
	}
	small := append(p.Get(5*mib), "begin"...)
	if start(small) == first {
		t.Error("one is lent that is more than 16 times as large as what was asked for")
	}
	grown := p.Grow(small, 7*mib)
	if start(grown) != first || string(grown) != "begin" {
		t.Errorf("grown it begins with %q", grown)
	}
	if got := p.InUse(); got != 120*mib {
		t.Errorf("%d bytes are in use", got)
	}
	if got := p.Free(); got != 5*mib {
		t.Errorf("%d bytes are free", got)
	}
}

// What nobody needed from one Trim to the next goes back, and what somebody did stays.
func TestLargeTrim(t *testing.T) {
	var p Pool
	a, b := p.Get(50*mib), p.Get(50*mib)
	p.Put(a)
	p.Put(b)
	p.Trim()
	p.Put(p.Get(50 * mib))
	p.Trim()
	if got := p.Free(); got != 50*mib {
		t.Errorf("%d bytes are free, one buffer was needed", got)
	}
	p.Trim()
	if got := p.Free(); got != 0 {
		t.Errorf("%d bytes are free, none was needed", got)
	}
}

// No more is kept than of all mapped buffers.
func TestLargeBound(t *testing.T) {
	var p Pool
	a, b := p.Get(keepMapped-mib), p.Get(5*mib)
	p.Put(a)
	p.Put(b)
	if got := p.Free(); got != keepMapped-mib {
		t.Errorf("%d bytes are free", got)
	}
	p.Trim()
	p.Trim()
}
