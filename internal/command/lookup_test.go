package command

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestLookupFindsEveryCommandInAnyCase(t *testing.T) {
	n := 0
	for s := range All {
		n++
		mixed := []byte(s.Name)
		for i := 0; i < len(mixed); i += 2 {
			mixed[i] = strings.ToUpper(s.Name)[i]
		}
		for _, name := range []string{s.Name, strings.ToUpper(s.Name), string(mixed)} {
			if got := Lookup([]byte(name)); got != s {
				t.Errorf("Lookup(%q) = %v", name, got)
			}
		}
	}
	if n < 240 {
		t.Errorf("only %d commands", n)
	}
}

func TestLookupFindsNothingElse(t *testing.T) {
	known := map[string]bool{}
	for s := range All {
		if known[s.Name] {
			t.Errorf("%q is twice in the table", s.Name)
		}
		known[s.Name] = true
	}
	check := func(name []byte) {
		if got := Lookup(name); (got != nil) != known[asciiLower(name)] {
			t.Errorf("Lookup(%q) = %v", name, got)
		}
	}
	check(nil)
	check([]byte(strings.Repeat("get", 1000)))
	check([]byte("config|get"))
	// Every name, with one byte changed, added and taken away.
	for name := range known {
		for i := range name {
			changed := []byte(name)
			for b := range 256 {
				changed[i] = byte(b)
				check(changed)
			}
			check([]byte(name[:i] + name[i+1:]))
			check([]byte(name[:i] + "a" + name[i:]))
			check([]byte(name[:i]))
		}
		check([]byte(name + "\x00"))
	}
}

// asciiLower is a slow and obvious fold.
func asciiLower(name []byte) string {
	lower := make([]byte, len(name))
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return string(lower)
}

func TestFold(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 256 * 8 {
		// Every byte in every place, among random neighbours.
		w := random.Uint64()&^(0xff<<(i%8*8)) | uint64(i/8)<<(i%8*8)
		var want uint64
		for at := range 8 {
			c := byte(w >> (at * 8))
			want |= uint64(asciiLower([]byte{c})[0]) << (at * 8)
		}
		if got := fold(w); got != want {
			t.Fatalf("fold(%#x) = %#x, want %#x", w, got, want)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	request := [][]byte{[]byte("ZUNIONSTORE"), []byte("d"), []byte("2"), []byte("a"), []byte("b")}
	at := func(i int) []byte { return request[i] }
	keys := make([]int, 0, 8)
	out := make([]byte, 0, 1024)
	for name, f := range map[string]func(){
		"Lookup":        func() { sink = Lookup(request[0]) },
		"Resolve":       func() { sink = Lookup(request[0]).Resolve(len(request), at) },
		"AppendKeys":    func() { keys = Lookup(request[0]).AppendKeys(keys[:0], len(request), at) },
		"AppendUnknown": func() { out = AppendUnknown(out[:0], len(request), at) },
		"AppendArity":   func() { out = AppendArity(out[:0], Lookup(request[0])) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var sink *Spec // keeps the compiler from dropping what is measured

func BenchmarkLookup(b *testing.B) {
	for _, name := range []string{"GET", "get", "MGET", "ZRANGEBYSCORE", "GEORADIUSBYMEMBER_RO", "nosuch"} {
		b.Run(name, func(b *testing.B) {
			n := []byte(name)
			for b.Loop() {
				sink = Lookup(n)
			}
		})
	}
	b.Run("mix", func(b *testing.B) {
		names := [][]byte{[]byte("GET"), []byte("HSET"), []byte("EXPIRE"), []byte("ZADD"), []byte("INCR"), []byte("DEL"), []byte("hgetall"), []byte("ZREVRANGEBYSCORE")}
		for i := 0; b.Loop(); i++ {
			sink = Lookup(names[uint32(i)*2654435761>>29])
		}
	})
	b.Run("map", func(b *testing.B) { // what the table competes with, without folding the case
		m := map[string]*Spec{}
		for s := range All {
			m[s.Name] = s
		}
		n := []byte("get")
		for b.Loop() {
			sink = m[string(n)]
		}
	})
}
