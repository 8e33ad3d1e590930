package fragment

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// line makes a request of words and says where the keys are.
func line(prefix string, keys []string) (buf []byte, args []memcached.Arg) {
	buf = []byte(prefix)
	for _, k := range keys {
		buf = append(buf, ' ')
		args = append(args, memcached.Arg{Off: len(buf), Len: len(k)})
		buf = append(buf, k...)
	}
	return append(buf, "\r\n"...), args
}

// splitValues starts a group for keys, each on the server that at says.
func (b *bench) splitValues(prefix string, keys []string, at []int32, longest int) *Group {
	buf, args := line(prefix, keys)
	g := b.splitter.SplitKeys(&b.pool, buf[:len(prefix)], buf, args, at, 3, longest)
	clear(buf) // it was borrowed
	return g
}

func block(key, value string) string {
	return fmt.Sprintf("VALUE %s 5 %d\r\n%s\r\n", key, len(value), value)
}

// Requests are as a client would have written them for each server alone, no longer than they may be,
// and the answer has the values in the order of the keys, whichever are missing.
func TestValues(t *testing.T) {
	b := bench{pool: bytebuf.Pool{Mangle: true}}
	for _, n := range []int{2, 3, 40, 700} {
		for _, longest := range []int{0, 300, 2048} {
			keys, at := make([]string, n), make([]int32, n)
			for i := range keys {
				keys[i], at[i] = strings.Repeat("k", i%90)+fmt.Sprint(i), int32((i*5+i/3)%3)
			}
			g := b.splitValues("gat 60", keys, at, longest)
			asked := 0
			for i := range g.Fragments {
				r, owned := g.Take(i)
				words := strings.Fields(string(r))
				if owned || string(r) != strings.Join(words, " ")+"\r\n" || !strings.HasPrefix(string(r), "gat 60 ") {
					t.Fatalf("fragment %d: %q, owned %v", i, r, owned)
				}
				if longest > 0 && len(r) > longest {
					t.Fatalf("fragment %d has %d bytes, %d are allowed", i, len(r), longest)
				}
				asked += len(words) - 2
			}
			if asked != n || longest == 0 && len(g.Fragments) > 3 {
				t.Fatalf("%d fragments ask for %d keys of %d", len(g.Fragments), asked, n)
			}
			want := ""
			for i, k := range keys {
				if i%4 != 1 {
					want += block(k, strings.Repeat("END\r\n", i%7))
				}
			}
			answered := 0
			for i := range g.Fragments {
				reply := ""
				for _, k := range strings.Fields(string(g.Fragments[i].Request))[2:] {
					for j := range keys {
						if keys[j] == k && j%4 != 1 {
							reply += block(k, strings.Repeat("END\r\n", j%7))
						}
					}
				}
				o := give(&b, g, i, reply+"END\r\n", 5)
				answered++
				if (o == Complete) != (answered == len(g.Fragments)) || o == Failed {
					t.Fatalf("after fragment %d of %d: outcome %d", i, len(g.Fragments), o)
				}
			}
			got := g.Coalesce(&b.pool)
			if string(got) != want+"END\r\n" {
				t.Fatalf("%d keys: %q\nwant %q", n, got, want)
			}
			b.pool.Put(got)
			b.splitter.Put(&b.pool, g)
		}
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

// What is not an answer to the keys that were asked for is a failure, and the server's own error is told.
func TestWrongValuesFail(t *testing.T) {
	b := bench{pool: bytebuf.Pool{Mangle: true}}
	a, c := block("a", "1"), block("c", "3")
	for _, x := range []struct{ reply, says string }{
		{"END\r\n", "right"},
		{a + "END\r\n", "right"},
		{c + "END\r\n", "right"},
		{a + c + "END\r\n", "right"},
		{c + a + "END\r\n", ""},
		{a + a + "END\r\n", ""},
		{block("b", "2") + "END\r\n", ""},
		{a + c + a + "END\r\n", ""},
		{"STORED\r\n", ""},
		{"END \r\n", ""},
		{"ERROR\r\n", "ERROR\r\n"},
		{"CLIENT_ERROR bad\r\n", "CLIENT_ERROR bad\r\n"},
		{"SERVER_ERROR out of memory\r\n", "SERVER_ERROR out of memory\r\n"},
		{a + "SERVER_ERROR out of memory\r\n", ""},
	} {
		g := b.splitValues("get", []string{"a", "b", "c"}, []int32{0, 1, 0}, 0)
		if o := give(&b, g, 0, x.reply, 4); (o == Failed) != (x.says != "right") {
			t.Errorf("%q: outcome %d", x.reply, o)
		}
		if says := g.Refusal(0); x.says != "right" && string(says) != x.says {
			t.Errorf("%q: the server's refusal is %q", x.reply, says)
		}
		b.splitter.Put(&b.pool, g)
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

// The keys of a server that fails are missing, whatever it has said before.
func TestMisses(t *testing.T) {
	b := bench{pool: bytebuf.Pool{Mangle: true}}
	g := b.splitValues("gets", []string{"a", "b", "c"}, []int32{0, 1, 0}, 0)
	give(&b, g, 0, block("a", "1")+"VALUE c", 4)
	g.Fragments[0].reply = append(g.Fragments[0].reply, "VALUE"...)
	if o, ok := g.Miss(&b.pool, 0); o != Waiting || !ok {
		t.Fatalf("outcome %d, %v", o, ok)
	}
	if o := give(&b, g, 1, block("b", "2")+"END\r\n", 100); o != Complete {
		t.Fatalf("outcome %d", o)
	}
	got := g.Coalesce(&b.pool)
	if want := block("b", "2") + "END\r\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.pool.Put(got)
	b.splitter.Put(&b.pool, g)

	g = b.splitter.Every(&b.pool, []byte("flush_all\r\n"), []*topology.Server{{Name: "x"}, {Name: "y"}}, false)
	if _, ok := g.Miss(&b.pool, 0); ok {
		t.Error("flush_all has values that can be missing")
	}
	b.splitter.Put(&b.pool, g)
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

func TestEvery(t *testing.T) {
	b := bench{pool: bytebuf.Pool{Mangle: true}}
	servers := []*topology.Server{{Name: "one"}, {Name: "127.0.0.1:11212"}}
	many := "STAT pid 7\r\n" + strings.Repeat("STAT x 1\r\n", 100) + "END\r\n"
	for _, c := range []struct {
		numbers bool
		replies [2]string
		want    string // "" for a failure
	}{
		{false, [2]string{"OK\r\n", "OK\r\n"}, "OK\r\n"},
		{false, [2]string{"OK\r\n", "ERROR\r\n"}, ""},
		{false, [2]string{"OK\r\n", "END\r\n"}, ""},
		{true, [2]string{"END\r\n", "STAT a STAT b\r\nEND\r\n"}, "STAT 127.0.0.1:11212 a STAT b\r\nEND\r\n"},
		{true, [2]string{many, many}, strings.ReplaceAll(strings.TrimSuffix(many, "END\r\n"), "STAT ", "STAT one ") +
			strings.ReplaceAll(many, "STAT ", "STAT 127.0.0.1:11212 ")},
		{true, [2]string{"END\r\n", "OK\r\n"}, ""},
		{true, [2]string{"END\r\n", "ITEM a\r\nEND\r\n"}, ""},
	} {
		g := b.splitter.Every(&b.pool, []byte("request\r\n"), servers, c.numbers)
		for i := range 2 {
			if r, owned := g.Take(i); !owned || string(r) != "request\r\n" || g.Fragments[i].Server != i {
				t.Fatalf("fragment %d: %q for server %d, owned %v", i, r, g.Fragments[i].Server, owned)
			} else {
				b.pool.Put(r)
			}
		}
		give(&b, g, 0, c.replies[0], 9)
		o := give(&b, g, 1, c.replies[1], 9)
		switch {
		case (o == Failed) != (c.want == ""):
			t.Errorf("%q: outcome %d", c.replies, o)
		case o == Complete:
			got := g.Coalesce(&b.pool)
			if string(got) != c.want {
				t.Errorf("%q: %q, want %q", c.replies, got, c.want)
			}
			b.pool.Put(got)
		}
		b.splitter.Put(&b.pool, g)
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}
