package bytebuf

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

// resident is the memory of the process that the system keeps in RAM, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// touch writes to every page of the whole buffer.
func touch(b []byte) []byte {
	b = b[:cap(b)]
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

func TestMappedMemoryGoesBack(t *testing.T) {
	const size, slack = 64 << 20, 8 << 20
	debug.FreeOSMemory()
	var p Pool
	before := resident(t)
	// One large buffer, which grows by moving.
	b := touch(p.Get(size / 2))
	b = touch(p.Grow(b, size/2))
	if got := resident(t) - before; got < size-slack {
		t.Fatalf("%d bytes were touched, %d are resident: this test measures nothing", size, got)
	}
	p.Put(b)
	p.Trim()
	p.Trim()
	if got := resident(t) - before; got > slack {
		t.Errorf("%d bytes are resident after a large buffer was given back and not needed again", got)
	}
	// One beyond what is kept.
	p.Put(touch(p.Get(keepMapped + 1)))
	if got := resident(t) - before; got > slack {
		t.Errorf("%d bytes are resident after a buffer was given back that is too large to be kept", got)
	}
	// Many of a class: a ceiling's worth is kept, and Trim gives that back.
	var all [][]byte
	for range size / MapSize {
		all = append(all, touch(p.Get(MapSize)))
	}
	for _, b := range all {
		p.Put(b)
	}
	if got := resident(t) - before; got > keepMapped+slack {
		t.Errorf("%d bytes are resident after %d were given back", got, size)
	}
	p.Trim()
	p.Trim()
	if got := resident(t) - before; got > slack {
		t.Errorf("%d bytes are resident after Trim", got)
	}
}
