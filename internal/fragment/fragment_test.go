package fragment

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
)

// bench is a splitter with its pool, and a request to split.
type bench struct {
	pool     bytebuf.Pool
	splitter Splitter
	buf      []byte
	args     []resp.Arg
}

// request encodes words and finds them again, as the proxy gets them.
func (b *bench) request(words ...string) {
	b.buf = resp.AppendArray(b.buf[:0], len(words))
	for _, w := range words {
		b.buf = resp.AppendBulk(b.buf, []byte(w))
	}
	var p resp.RequestParser
	lim := resp.Limits{Bytes: 1 << 30, Arguments: 1 << 20}
	if n, err := p.Next(b.buf, &lim); n != len(b.buf) || err != nil {
		panic(fmt.Sprint("the test's own request: ", n, err))
	}
	b.args = p.Args
}

// naive is what the fragments should be: by server, in order of servers, keys in order.
func naive(step int, name string, words []string, servers []int32, count int) (fragments []string, of []int) {
	for server := range count {
		var mine []string
		for k, s := range servers {
			if int(s) == server {
				mine = append(mine, words[k*step:(k+1)*step]...)
			}
		}
		if mine == nil {
			continue
		}
		f := resp.AppendArray(nil, len(mine)+1)
		for _, w := range append([]string{name}, mine...) {
			f = resp.AppendBulk(f, []byte(w))
		}
		fragments = append(fragments, string(f))
		of = append(of, server)
	}
	return fragments, of
}

// keys makes n keys, and values if pairs, with a server for each.
func keys(n, servers int, pairs bool) (words []string, at []int32) {
	for i := range n {
		words = append(words, strings.Repeat("k", i%120)+strconv.Itoa(i))
		if pairs {
			words = append(words, strings.Repeat("v", i*i%2000))
		}
		at = append(at, int32((i*5+i/3)%servers))
	}
	return words, at
}

func TestSplit(t *testing.T) {
	var b bench
	b.pool.Mangle = true
	for _, shape := range []struct {
		shape command.Shape
		name  string
	}{{command.SplitArray, "mget"}, {command.SplitPairs, "mset"}, {command.SplitSum, "del"}, {command.SplitSum, "unlink"}} {
		step := Step(shape.shape)
		if want := map[bool]int{true: 2, false: 1}[shape.shape == command.SplitPairs]; step != want {
			t.Fatalf("%s: %d arguments per key, want %d", shape.name, step, want)
		}
		for _, n := range []int{1, 2, 3, 10, 99, 300} {
			for _, servers := range []int{1, 2, 3, 17} {
				words, at := keys(n, servers, step == 2)
				b.request(append([]string{shape.name}, words...)...)
				g := b.splitter.Split(&b.pool, shape.shape, shape.name, b.buf, b.args, at, servers)
				want, of := naive(step, shape.name, words, at, servers)
				if len(g.Fragments) != len(want) {
					t.Fatalf("%s of %d keys on %d servers: %d fragments, want %d", shape.name, n, servers, len(g.Fragments), len(want))
				}
				for i, f := range g.Fragments {
					if string(f.Request) != want[i] || f.Server != of[i] {
						t.Fatalf("fragment %d for server %d: %q\nwant for %d: %q", i, f.Server, f.Request, of[i], want[i])
					}
				}
				b.splitter.Put(&b.pool, g)
			}
		}
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

// give gives a fragment its reply in pieces.
func give(b *bench, g *Group, i int, reply string, piece int) Outcome {
	for len(reply) > piece {
		if o := g.Reply(&b.pool, i, []byte(reply[:piece]), false); o != Waiting {
			return o
		}
		reply = reply[piece:]
	}
	return g.Reply(&b.pool, i, []byte(reply), true)
}

// split starts a group of n keys on three servers.
func (b *bench) split(shape command.Shape, name string, n int) (*Group, []int32) {
	words, at := keys(n, 3, shape == command.SplitPairs)
	b.request(append([]string{name}, words...)...)
	return b.splitter.Split(&b.pool, shape, name, b.buf, b.args, at, 3), at
}

func TestCoalesceArray(t *testing.T) {
	var b bench
	b.pool.Mangle = true
	value := func(k int) string {
		if k%5 == 3 {
			return "$-1\r\n"
		}
		return string(resp.AppendBulk(nil, []byte(strings.Repeat("\r\n$", k%70)+strconv.Itoa(k))))
	}
	for _, n := range []int{2, 3, 50, 500} {
		for _, piece := range []int{1, 10, 1 << 20} {
			g, at := b.split(command.SplitArray, "mget", n)
			want := string(resp.AppendArray(nil, n))
			replies := make([]string, len(g.Fragments))
			for k, server := range at {
				want += value(k)
				for i := range g.Fragments {
					if g.Fragments[i].Server == int(server) {
						replies[i] += value(k)
					}
				}
			}
			total := int64(0)
			for i := range replies { // the last server answers first
				i = len(replies) - 1 - i
				reply := string(resp.AppendArray(nil, g.Fragments[i].keys)) + replies[i]
				total += int64(len(reply))
				o := give(&b, g, i, reply, piece)
				if (o == Complete) != (i == 0) || o == Failed {
					t.Fatalf("fragment %d of %d: outcome %d", i, len(replies), o)
				}
				if g.Buffered() != total {
					t.Fatalf("%d bytes are buffered, want %d", g.Buffered(), total)
				}
			}
			got := g.Coalesce(&b.pool)
			if string(got) != want {
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

func TestCoalesceOthers(t *testing.T) {
	var b bench
	for _, c := range []struct {
		shape   command.Shape
		name    string
		replies []string
		want    string
	}{
		{command.SplitPairs, "mset", []string{"+OK\r\n", "+OK\r\n", "+OK\r\n"}, "+OK\r\n"},
		{command.SplitSum, "del", []string{":1\r\n", ":0\r\n", ":41\r\n"}, ":42\r\n"},
		{command.SplitSum, "del", []string{":9000000000\r\n", ":-1\r\n", ":1\r\n"}, ":9000000000\r\n"},
	} {
		// Keys on all three servers.
		b.request("x", "a", "b", "c", "d", "e", "f")
		at := []int32{2, 0, 1, 0, 1, 2}[:6/Step(c.shape)]
		for range 2 { // the second time with used buffers
			g := b.splitter.Split(&b.pool, c.shape, c.name, b.buf, b.args, at, 3)
			for i, r := range c.replies {
				if o := give(&b, g, i, r, 3); (o == Complete) != (i == 2) || o == Failed {
					t.Fatalf("%s: after %q the outcome is %d", c.name, r, o)
				}
			}
			got := g.Coalesce(&b.pool)
			if string(got) != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
			b.pool.Put(got)
			b.splitter.Put(&b.pool, g)
		}
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

func TestWrongRepliesFail(t *testing.T) {
	var b bench
	for _, c := range []struct {
		shape command.Shape
		reply string
		says  string // "" stands for no error of the server
	}{
		{command.SplitArray, "-LOADING wait\r\n", "-LOADING wait\r\n"},
		{command.SplitArray, "*1\r\n$1\r\na\r\n", ""},
		{command.SplitArray, "*3\r\n$-1\r\n$-1\r\n$-1\r\n", ""},
		{command.SplitArray, "*2\r\n$-1\r\n:5\r\n", ""},
		{command.SplitArray, "*2\r\n+a\r\n+b\r\n", ""},
		{command.SplitArray, "*2\r\n*0\r\n*0\r\n", ""},
		{command.SplitArray, "*-1\r\n", ""},
		{command.SplitArray, "*0\r\n", ""},
		{command.SplitArray, "$1\r\na\r\n", ""},
		{command.SplitArray, "+OK\r\n", ""},
		{command.SplitArray, "*2\r\n$-01\r\n$-1\r\n", ""},
		{command.SplitPairs, "-OOM no\r\n", "-OOM no\r\n"},
		{command.SplitPairs, ":1\r\n", ""},
		{command.SplitPairs, "$2\r\nOK\r\n", ""},
		{command.SplitSum, "-READONLY no\r\n", "-READONLY no\r\n"},
		{command.SplitSum, "+OK\r\n", ""},
		{command.SplitSum, "$1\r\n1\r\n", ""},
		{command.SplitSum, "*1\r\n:1\r\n", ""},
		{command.SplitSum, ":9999999999999999999\r\n", ""},
	} {
		b.request("x", "a", "b", "c", "d", "e", "f", "g", "h")
		g := b.splitter.Split(&b.pool, c.shape, "name", b.buf, b.args, []int32{0, 1, 0, 1}[:4/Step(c.shape)], 2)
		if o := give(&b, g, 0, c.reply, 4); o != Failed {
			t.Errorf("%q: outcome %d", c.reply, o)
		}
		if got := g.Refusal(0); string(got) != c.says {
			t.Errorf("%q: the server's refusal is %q", c.reply, got)
		}
		b.splitter.Put(&b.pool, g)
	}
	if b.pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", b.pool.InUse())
	}
}

// A group that is given up in the middle owes nothing, and the next one starts afresh.
func TestGivenUpGroups(t *testing.T) {
	var b bench
	b.pool.Mangle = true
	g, _ := b.split(command.SplitArray, "mget", 20)
	give(&b, g, 0, "*5\r\n$3\r\nabc", 4)
	b.splitter.Put(&b.pool, g)
	if b.pool.InUse() != 0 {
		t.Fatalf("%d bytes were not given back", b.pool.InUse())
	}
	again, _ := b.split(command.SplitSum, "del", 20)
	if again != g || again.Buffered() != 0 || len(again.Fragments) != 3 {
		t.Fatalf("reused %v, %d bytes buffered, %d fragments", again == g, again.Buffered(), len(again.Fragments))
	}
}

// FuzzCoalesce answers the fragments with whatever passes for replies: there must be no panic, every
// whole reply must have an outcome, and what a client gets must be one whole reply of the right kind.
func FuzzCoalesce(f *testing.F) {
	f.Add(uint8(0), []byte("*2\r\n$1\r\na\r\n$-1\r\n*2\r\n$-1\r\n$0\r\n\r\n"))
	f.Add(uint8(0), []byte("*2\r\n$-01\r\n$-1\r\n"))
	f.Add(uint8(0), []byte("*2\r\n$-1\r\n$00000001\r\na\r\n*0002\r\n$1\r\nb\r\n$1\r\nc\r\n"))
	f.Add(uint8(1), []byte("+OK\r\n+\r\n"))
	f.Add(uint8(2), []byte(":1\r\n:-3\r\n"))
	f.Add(uint8(2), []byte(":-\r\n"))
	f.Fuzz(func(t *testing.T, shape uint8, stream []byte) {
		shapes := []command.Shape{command.SplitArray, command.SplitPairs, command.SplitSum}
		sh := shapes[int(shape)%len(shapes)]
		b := bench{pool: bytebuf.Pool{Mangle: true}}
		b.request("x", "a", "b", "c", "d", "e", "f", "g", "h")
		at := []int32{0, 1, 1, 0}
		g := b.splitter.Split(&b.pool, sh, "name", b.buf, b.args[:1+4*Step(sh)], at, 2)
		p := resp.ReplyParser{Nesting: 8}
		for i := range g.Fragments {
			o := Waiting
			for done := false; !done; {
				if len(stream) == 0 {
					return
				}
				piece := stream[:min(len(stream), 7)]
				n, last, err := p.Next(piece)
				if err != nil {
					return
				}
				o, done = g.Reply(&b.pool, i, piece[:n], last), last
				stream = stream[n:]
			}
			if o == Failed {
				e := resp.ReplyParser{Nesting: 8}
				text := g.Refusal(i)
				if text == nil {
					return
				}
				if n, done, err := e.Next(text); n != len(text) || !done || err != nil || text[0] != '-' {
					t.Fatalf("the client's error is %q", text)
				}
				return
			}
			if (o == Complete) != (i == 1) {
				t.Fatalf("fragment %d: outcome %d", i, o)
			}
		}
		whole := g.Coalesce(&b.pool)
		r := resp.ReplyParser{Nesting: 1}
		n, done, err := r.Next(whole)
		if n != len(whole) || !done || err != nil || whole[0] != "*+:"[int(shape)%len(shapes)] {
			t.Fatalf("the client's reply is %q", whole)
		}
		if sh == command.SplitArray && !bytes.HasPrefix(whole, []byte("*4\r\n")) {
			t.Fatalf("the client's reply is %q", whole)
		}
		b.pool.Put(whole)
		b.splitter.Put(&b.pool, g)
		if b.pool.InUse() != 0 {
			t.Fatalf("%d bytes were not given back", b.pool.InUse())
		}
	})
}

// BenchmarkMGet shows that the cost is linear in the number of keys: ns/key stays.
func BenchmarkMGet(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var x bench
			words, at := keys(n, 16, false)
			for i := range words {
				words[i] = fmt.Sprintf("key:%012d", i)
			}
			x.request(append([]string{"mget"}, words...)...)
			var replies [16][]byte
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				g := x.splitter.Split(&x.pool, command.SplitArray, "mget", x.buf, x.args, at, 16)
				for i := range g.Fragments {
					if replies[i] == nil {
						keys := g.Fragments[i].keys
						replies[i] = fmt.Appendf(nil, "*%d\r\n%s", keys, strings.Repeat("$5\r\nhello\r\n", keys))
					}
					g.Reply(&x.pool, i, replies[i], true)
				}
				x.pool.Put(g.Coalesce(&x.pool))
				x.splitter.Put(&x.pool, g)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
	}
}
