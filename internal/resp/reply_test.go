package resp

import (
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

// ends is splits.Ends of a parser of that version.
func ends(t testing.TB, version int, stream []byte, cuts ...int) (at []int) {
	t.Helper()
	return splits.Ends(t, &ReplyParser{Nesting: 3, Version: version}, stream, cuts...)
}

func TestReplies(t *testing.T) {
	long := strings.Repeat("v", 120)
	for _, c := range []struct {
		stream []string // whole replies
		rest   string   // what follows them
		end    int      // 0, or as ends says
		resp3  bool     // the connection's protocol is RESP3
	}{
		{stream: []string{"+OK\r\n", "-ERR no\r\n", ":-5\r\n", ":0\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n", "+\r\n"}},
		{stream: []string{"$3\r\na\r\n\r\n", "$11\r\n\r\n*1\r\n$5\r\n+\r\n", "$120\r\n" + long + "\r\n", "$05\r\nhello\r\n"}},
		{stream: []string{"*3\r\n$1\r\na\r\n$-1\r\n:7\r\n", "*2\r\n*2\r\n+a\r\n-b\r\n*1\r\n*1\r\n$1\r\nx\r\n", "*2\r\n*0\r\n*-1\r\n"}},
		{stream: []string{":9223372036854775807\r\n", ":-9223372036854775808\r\n"}},
		{rest: "*2\r\n+a\r\n", end: -2},
		{rest: "$5\r\nhel", end: -2},
		{rest: "$5\r\nhello\r", end: -2},
		{rest: "+OK\r", end: -2},
		{stream: []string{"+a\r\n"}, rest: "?", end: -1},
		{rest: "%1\r\n", end: -1},
		{rest: "_\r\n", end: -1},
		{rest: "\r\n", end: -1},
		{rest: "$5\r\nhelloXY", end: -1},
		{rest: "$5\r\nhello\rY", end: -1},
		{rest: "$5\r\nhello\n\n", end: -1},
		{rest: "$-2\r\n", end: -1},
		{rest: "*-7\r\n", end: -1},
		{rest: "$\r\n", end: -1},
		{rest: ":\r\n", end: -1},
		{rest: ":+5\r\n", end: -1},
		{rest: ":5-\r\n", end: -1},
		{rest: "$1a\r\n", end: -1},
		{rest: ":12345678901234567890\r\n", end: -1},
		{rest: "*9999999999999999\r\n", end: -1},
		{rest: "+a\n", end: -1},
		{rest: "+a\rb", end: -1},
		{rest: "*1\r\n*1\r\n*1\r\n*1\r\n+deep\r\n", end: -1},
		{resp3: true, stream: []string{"_\r\n", "#t\r\n", ",1.5e10\r\n", ",inf\r\n", "(123456789012345678901234567890\r\n", "+OK\r\n", "$-1\r\n"}},
		{resp3: true, stream: []string{"!5\r\nERR x\r\n", "=7\r\ntxt:a\r\n\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "~3\r\n:1\r\n:2\r\n:3\r\n", "%0\r\n", "~0\r\n"}},
		{resp3: true, stream: []string{"|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n", "*2\r\n|1\r\n+a\r\n+b\r\n_\r\n:2\r\n", "|0\r\n+OK\r\n"}},
		{resp3: true, rest: "|1\r\n+ttl\r\n:5\r\n", end: -2},
		{resp3: true, rest: "%1\r\n+a\r\n", end: -2},
		{resp3: true, rest: "_", end: -2},
		{resp3: true, rest: "_x\r\n", end: -1},
		{resp3: true, rest: "_\rx", end: -1},
		{resp3: true, rest: ">2\r\n+invalidate\r\n_\r\n", end: -1},
		{resp3: true, rest: "%-1\r\n", end: -1},
		{resp3: true, rest: "=-1\r\n", end: -1},
		{resp3: true, rest: "$?\r\n", end: -1},
		{resp3: true, rest: "%1\r\n%1\r\n%1\r\n%1\r\n", end: -1},
	} {
		stream, version := strings.Join(c.stream, ""), 2
		if c.resp3 {
			version = 3
		}
		var want []int
		n := 0
		for _, s := range c.stream {
			n += len(s)
			want = append(want, n)
		}
		if c.end != 0 {
			want = append(want, c.end)
		}
		stream += c.rest
		check := func(cuts ...int) {
			if got := ends(t, version, []byte(stream), cuts...); !slices.Equal(got, want) {
				t.Fatalf("%q cut at %v: %v, want %v", stream, cuts, got, want)
			}
		}
		splits.Every(len(stream), 1000, check)
	}
}

func TestBulkTellsWhatIsMissing(t *testing.T) {
	p := ReplyParser{Nesting: 1}
	step := func(b string, bulk int, outermost bool) {
		t.Helper()
		if _, _, err := p.Next([]byte(b)); err != nil {
			t.Fatal(err)
		}
		if p.Bulk() != bulk || p.Outermost() != outermost {
			t.Fatalf("after %q: %d bytes of a bulk string are missing, outermost %v", b, p.Bulk(), p.Outermost())
		}
	}
	step("$200\r\n", 202, true)
	step("abc", 199, true)
	step(strings.Repeat("x", 197), 2, true)
	step("\r", 1, true)
	step("\n", 0, true)
	step("*2\r\n$200\r", 0, false)
	step("\nx", 201, false)
	step(strings.Repeat("x", 199)+"\r\n", 0, false)
	step("$-1\r\n", 0, true)
}

// A parser must not keep memory in proportion to what a server announces.
func TestAnnouncedSizesCostNothing(t *testing.T) {
	p := ReplyParser{Nesting: 4}
	for range 4 {
		if _, _, err := p.Next([]byte("*1099511627776\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	if cap(p.open) > 16 {
		t.Errorf("the parser keeps %d numbers for 4 open arrays", cap(p.open))
	}
	var r RequestParser
	lim := Limits{Bytes: 1 << 40, Arguments: 1 << 30, Inline: 1 << 10}
	if _, err := r.Next([]byte("*1073741824\r\n$1073741824\r\n"), &lim); err != nil {
		t.Fatal(err)
	}
	if cap(r.Args) > 16 {
		t.Errorf("the parser keeps %d places for arguments that did not come", cap(r.Args))
	}
}

func TestEncoders(t *testing.T) {
	for got, want := range map[string]string{
		string(AppendArray(nil, 0)):                      "*0\r\n",
		string(AppendArray(nil, 10)):                     "*10\r\n",
		string(AppendArray(nil, -1)):                     "*-1\r\n",
		string(AppendBulk(nil, nil)):                     "$0\r\n\r\n",
		string(AppendBulk([]byte("x"), []byte("a\r\n"))): "x$3\r\na\r\n\r\n",
		string(AppendInt(nil, -42)):                      ":-42\r\n",
		string(AppendError(nil, "ERR a\r\nb")):           "-ERR a  b\r\n",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, n := range []int{0, 1, 9, 10, 99, 100, 12345} {
		if got := HeaderSize(n); got != len(AppendArray(nil, n)) {
			t.Errorf("HeaderSize(%d) is %d", n, got)
		}
		if got := BulkSize(n); got != len(AppendBulk(nil, make([]byte, n))) {
			t.Errorf("BulkSize(%d) is %d", n, got)
		}
	}
}

// What a deep reply has taken is given back with its end: each level takes 8 bytes.
func TestDeepReplyLeavesNothing(t *testing.T) {
	p := ReplyParser{Nesting: 10000}
	deep := strings.Repeat("*2\r\n:1\r\n", 10000) + ":1\r\n"
	perReply := testing.AllocsPerRun(1, func() {
		if n, done, err := p.Next([]byte(deep)); n != len(deep) || !done || err != nil {
			t.Fatal(n, done, err)
		}
	})
	if perReply == 0 {
		t.Error("a deep reply leaves its memory with the parser")
	}
	shallow := []byte(strings.Repeat("*2\r\n:1\r\n", 30) + ":1\r\n")
	_, _, _ = p.Next(shallow)
	if n := testing.AllocsPerRun(10, func() { _, _, _ = p.Next(shallow) }); n != 0 {
		t.Errorf("%v allocations for a usual reply", n)
	}
}
