package memcached

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

var wide = Limits{Bytes: 1 << 20, Arguments: 1 << 10, Line: 2048}

// outcome is all that a parser says of a stream.
type outcome struct {
	requests []string // as describe says
	err      string   // what ended the stream, if anything did
	left     int      // bytes of a request that is not whole
	owed     int64    // bytes still to be skipped at the end
}

// session feeds a stream in pieces that end at the cuts, as a client session would: what is not whole is
// kept and given again with more, what is to be skipped is dropped.
func session(t testing.TB, stream []byte, lim *Limits, cuts ...int) (o outcome) {
	t.Helper()
	var p RequestParser
	var kept []byte
	start := 0
	for _, cut := range append(cuts, len(stream)) {
		kept = append(kept, stream[start:cut]...)
		start = cut
		for len(kept) > 0 {
			drop := min(o.owed, int64(len(kept)))
			kept = kept[drop:]
			if o.owed -= drop; len(kept) == 0 {
				break
			}
			n, err := p.Next(kept, lim)
			if err != nil {
				var pe *ProtocolError
				if !errors.As(err, &pe) {
					t.Fatalf("the error is a %T", err)
				}
				o.err = pe.Text
				return o
			}
			if n < 0 || n > len(kept) {
				t.Fatalf("%d of %d bytes were consumed", n, len(kept))
			}
			if m := p.Missing(len(kept)); n == 0 && m < 1 {
				t.Fatalf("%d bytes are missing", m)
			}
			if n == 0 {
				break
			}
			o.requests = append(o.requests, describe(t, &p.Request, kept[:n], lim))
			o.owed = p.Skip
			kept = kept[n:]
		}
	}
	o.left = len(kept)
	return o
}

// describe writes down a request and checks what holds for all.
func describe(t testing.TB, r *Request, b []byte, lim *Limits) string {
	t.Helper()
	want := r.Line
	if r.Data >= 0 {
		want += r.Data + 2
	}
	if len(b) != want || r.Skip < 0 || r.Skip > 0 && (r.Problem == "" || r.Data >= 0) {
		t.Fatalf("%q: %d bytes, %+v", b, len(b), r)
	}
	if r.FirstKey > r.LastKey || r.LastKey > len(r.Tokens) || len(r.Tokens) > lim.Arguments || int64(len(b)) > lim.Bytes && r.Op != Binary {
		t.Fatalf("%q: %+v", b, r)
	}
	var words []string
	for i := range r.Tokens {
		words = append(words, string(r.word(b, i)))
	}
	for i, key := range words[r.FirstKey:r.LastKey] {
		if r.Problem == "" && (key == "" || len(key) > 250 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c == 0x7f })) {
			t.Fatalf("%q: key %d is %q", b, i, key)
		}
	}
	s := fmt.Sprintf("%d %q keys %d:%d", r.Op, words, r.FirstKey, r.LastKey)
	if r.Data >= 0 {
		s += fmt.Sprintf(" data %q", b[r.Line:r.Line+r.Data])
	}
	if r.Silent {
		s += " silent"
	}
	if r.Base64 {
		s += " base64"
	}
	if r.Problem != "" {
		s += fmt.Sprintf(" problem %q skip %d", r.Problem, r.Skip)
	}
	return s
}

// everySplit checks that a stream means the same whole, cut at every byte, at every pair of bytes if it
// is not long, and byte by byte.
func everySplit(t *testing.T, stream string, lim *Limits, want outcome) {
	t.Helper()
	check := func(cuts ...int) {
		t.Helper()
		if got := session(t, []byte(stream), lim, cuts...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%.200q cut at %v:\n got %+v\nwant %+v", stream, cuts, got, want)
		}
	}
	splits.Every(len(stream), 80, check)
}

// repeated returns n times the word, separated by spaces.
func repeated(n int, word string) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }

func TestRequests(t *testing.T) {
	long := strings.Repeat("k", 250)
	small := Limits{Bytes: 300, Arguments: 5, Line: 64}
	for _, c := range []struct {
		stream   string
		lim      *Limits
		requests []string
		err      string
		left     int
		owed     int64
	}{
		{stream: "get a\r\nget b\n", requests: []string{`1 ["get" "a"] keys 1:2`, `1 ["get" "b"] keys 1:2`}},
		{stream: "  gets   a  bb \r\n", requests: []string{`2 ["gets" "a" "bb"] keys 1:3`}},
		{stream: "gat 10 a b\r\ngats -1 c\r\n", requests: []string{`3 ["gat" "10" "a" "b"] keys 2:4`, `4 ["gats" "-1" "c"] keys 2:3`}},
		{stream: "gat 0\r\n", requests: []string{`3 ["gat" "0"] keys 2:2 problem "END" skip 0`}},
		{stream: "get " + long + "\r\n", requests: []string{`1 ["get" "` + long + `"] keys 1:2`}},
		{stream: "get a " + long + "k\r\n", requests: []string{`1 ["get" "a" "` + long + `k"] keys 1:3 problem "CLIENT_ERROR bad command line format" skip 0`}},
		{stream: "set k 0 0 5\r\na\r\nbc\r\nget k\r\n", requests: []string{`5 ["set" "k" "0" "0" "5"] keys 1:2 data "a\r\nbc"`, `1 ["get" "k"] keys 1:2`}},
		{stream: "add k 4294967295 -1 0 noreply\n\r\n", requests: []string{`6 ["add" "k" "4294967295" "-1" "0" "noreply"] keys 1:2 data "" silent`}},
		{stream: "cas k 0 0 1 18446744073709551615\r\nx\r\n", requests: []string{`10 ["cas" "k" "0" "0" "1" "18446744073709551615"] keys 1:2 data "x"`}},
		{stream: "set k 0 0 3\r\nabcdef\r\n", requests: []string{`5 ["set" "k" "0" "0" "3"] keys 1:2 data "abc" problem "CLIENT_ERROR bad data chunk" skip 0`, `0 ["f"] keys 0:0 problem "ERROR" skip 0`}},
		{stream: "set k 0 0 1\r\na\nget\n", requests: []string{`5 ["set" "k" "0" "0" "1"] keys 1:2 data "a" problem "CLIENT_ERROR bad data chunk" skip 0`, `0 ["et"] keys 0:0 problem "ERROR" skip 0`}},
		{stream: "set k x 0 5\r\nhello\r\nget a\r\n", requests: []string{`5 ["set" "k" "x" "0" "5"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 7`, `1 ["get" "a"] keys 1:2`}},
		{stream: "set k 0 0 -5\r\nget a\r\n", requests: []string{`5 ["set" "k" "0" "0" "-5"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`, `1 ["get" "a"] keys 1:2`}},
		{stream: "set k 0 0 4294967301\r\nhello", requests: []string{`5 ["set" "k" "0" "0" "4294967301"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 4294967303`}, owed: 4294967298},
		{stream: "set k 0 0 99999999999999999999\r\n", requests: []string{`5 ["set" "k" "0" "0" "99999999999999999999"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`}},
		{stream: "set k 0 0 300\r\n", lim: &small, requests: []string{`5 ["set" "k" "0" "0" "300"] keys 1:2 problem "SERVER_ERROR object too large for cache" skip 302`}, owed: 302},
		{stream: "set k 0 0 283\r\n", lim: &small, left: 15},
		{stream: "set k 0 0 284 \r\n", lim: &small, requests: []string{`5 ["set" "k" "0" "0" "284"] keys 1:2 problem "SERVER_ERROR object too large for cache" skip 286`}, owed: 286},
		{stream: "set k 0 0 noreply\r\n", requests: []string{`5 ["set" "k" "0" "0" "noreply"] keys 1:2 silent problem "CLIENT_ERROR bad command line format" skip 0`}},
		{stream: "set k 0 0 1 noreply x\r\n", requests: []string{`5 ["set" "k" "0" "0" "1" "noreply" "x"] keys 0:0 problem "ERROR" skip 0`}},
		{stream: "set a\x00b 0 0 1\r\nx\r\n", requests: []string{`5 ["set" "a\x00b" "0" "0" "1"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 3`}},
		{stream: "get a\rb\r\nget a\tb\r\nget \x7f\r\n", requests: []string{
			`1 ["get" "a\rb"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`,
			`1 ["get" "a\tb"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`,
			`1 ["get" "\x7f"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`,
		}},
		{stream: "get \xff\xe2\x82\xac\r\n", requests: []string{`1 ["get" "\xff€"] keys 1:2`}},
		{stream: "delete noreply\r\ndelete k noreply\r\ndelete k 0 noreply\r\n", requests: []string{
			`11 ["delete" "noreply"] keys 1:2`, `11 ["delete" "k" "noreply"] keys 1:2 silent`, `11 ["delete" "k" "0" "noreply"] keys 1:2 silent`,
		}},
		{stream: "incr noreply 5\r\nincr k noreply\r\n", requests: []string{
			`12 ["incr" "noreply" "5"] keys 1:2`, `12 ["incr" "k" "noreply"] keys 1:2 silent problem "CLIENT_ERROR invalid numeric delta argument" skip 0`,
		}},
		{stream: "flush_all\nflush_all noreply\nflush_all 5\nflush_all 5 noreply\n", requests: []string{
			`23 ["flush_all"] keys 0:0`, `23 ["flush_all" "noreply"] keys 0:0 silent`, `23 ["flush_all" "5"] keys 0:0`, `23 ["flush_all" "5" "noreply"] keys 0:0 silent`,
		}},
		{stream: "mg k v q O1\r\nms k 2 T0 qx\r\nhi\r\nmn\r\n", requests: []string{
			`15 ["mg" "k" "v" "q" "O1"] keys 1:2 silent`, `16 ["ms" "k" "2" "T0" "qx"] keys 1:2 data "hi" silent`, `20 ["mn"] keys 0:0`,
		}},
		{stream: "mg Zm9v b\r\nme Zm9v b\r\nme k x b\r\n", requests: []string{
			`15 ["mg" "Zm9v" "b"] keys 1:2 base64`, `19 ["me" "Zm9v" "b"] keys 1:2 base64`, `19 ["me" "k" "x" "b"] keys 1:2`,
		}},
		{stream: "ms k x\r\n", requests: []string{`16 ["ms" "k" "x"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 0`}},
		{stream: "ms " + long + "k 1\r\na\r\n", requests: []string{`16 ["ms" "` + long + `k" "1"] keys 1:2 problem "CLIENT_ERROR bad command line format" skip 3`}},
		{stream: "watch\r\nGET a\r\n\r\n\n \n", requests: []string{
			`26 ["watch"] keys 0:0 problem "CLIENT_ERROR watch commands not allowed" skip 0`, `0 ["GET" "a"] keys 0:0 problem "ERROR" skip 0`,
			`0 [] keys 0:0 problem "ERROR" skip 0`, `0 [] keys 0:0 problem "ERROR" skip 0`, `0 [] keys 0:0 problem "ERROR" skip 0`,
		}},
		{stream: "stats cachedump 1 0\r\nstats items\r\n", requests: []string{
			`24 ["stats" "cachedump" "1" "0"] keys 0:0 problem "CLIENT_ERROR stats cachedump not allowed" skip 0`, `24 ["stats" "items"] keys 0:0`,
		}},
		{stream: "set k 0 0 1\r\na\n\n", requests: []string{`5 ["set" "k" "0" "0" "1"] keys 1:2 data "a" problem "CLIENT_ERROR bad data chunk" skip 0`}},
		{stream: "delete k 0 x\ndelete k 1\nflush_all x\nverbosity x\n", requests: []string{
			`11 ["delete" "k" "0" "x"] keys 1:2 problem "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]" skip 0`,
			`11 ["delete" "k" "1"] keys 1:2 problem "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]" skip 0`,
			`23 ["flush_all" "x"] keys 0:0 problem "CLIENT_ERROR invalid exptime argument" skip 0`,
			`22 ["verbosity" "x"] keys 0:0 problem "CLIENT_ERROR bad command line format" skip 0`,
		}},
		{stream: "ma k O" + long[:31] + "\nma k O" + long[:32] + "\n", requests: []string{
			`18 ["ma" "k" "O` + long[:31] + `"] keys 1:2`, `18 ["ma" "k" "O` + long[:32] + `"] keys 1:2 problem "CLIENT_ERROR opaque token too long" skip 0`,
		}},
		{stream: "get 1 2 3 4 5\r\n", lim: &small, requests: []string{`1 ["get" "1" "2" "3" "4"] keys 1:5 problem "CLIENT_ERROR too many arguments" skip 0`}},
		{stream: "delete" + strings.Repeat(" ", 60) + "k\r\n", lim: &small, requests: []string{`11 ["delete" "k"] keys 1:2 problem "CLIENT_ERROR line too long" skip 0`}},
		{stream: "get" + strings.Repeat(" ", 290) + "k\r\n", lim: &small, requests: []string{`1 ["get" "k"] keys 1:2`}},
		{stream: strings.Repeat(" ", 100) + "gets k\r\n" + strings.Repeat(" ", 101) + "gets k\r\n", lim: &small, requests: []string{
			`2 ["gets" "k"] keys 1:2`, `2 ["gets" "k"] keys 1:2 problem "CLIENT_ERROR line too long" skip 0`,
		}},
		{stream: "get" + strings.Repeat(" ", 400), lim: &small, err: "CLIENT_ERROR line too long"},
		{stream: "get" + strings.Repeat(" ", 400) + "\n", lim: &small, err: "CLIENT_ERROR line too long"},
		{stream: "delete" + strings.Repeat(" ", 251), lim: &small, err: "CLIENT_ERROR line too long"},
		{stream: "delete" + strings.Repeat(" ", 251) + "\n", lim: &small, err: "CLIENT_ERROR line too long"},
		{stream: "delete" + strings.Repeat(" ", 250), lim: &small, left: 256},
		{
			stream:   "\x80\x01\x00\x03\x08\x00\x00\x00\x00\x00\x00\x0cOPAQ12345678" + "eight...key" + "vget a\r\n",
			requests: []string{`27 [] keys 0:0 problem "CLIENT_ERROR the binary protocol is not supported, use the text or the meta protocol" skip 12`, `1 ["get" "a"] keys 1:2`},
		},
		{stream: "\x80\x01\x00", left: 3},
		{stream: "get a", left: 5},
		{stream: "set k 0 0 5\r\nhello\r", left: 19},
	} {
		lim := c.lim
		if lim == nil {
			lim = &wide
		}
		everySplit(t, c.stream, lim, outcome{c.requests, c.err, c.left, c.owed})
	}
}

func TestMissingTellsHowMuchDataIsAwaited(t *testing.T) {
	var p RequestParser
	for _, step := range []struct {
		b    string
		want int
	}{{"set k 0 0 10", 1}, {"set k 0 0 10\r\n", 12}, {"set k 0 0 10\r\nabc", 9}, {"set k 0 0 10\r\n0123456789\r", 1}} {
		if n, err := p.Next([]byte(step.b), &wide); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if got := p.Missing(len(step.b)); got != step.want {
			t.Errorf("after %q %d bytes are missing, want %d", step.b, got, step.want)
		}
	}
	p.Reset()
	if n, err := p.Next([]byte("get a\r\n"), &wide); n != 7 || err != nil || p.Op != Get {
		t.Errorf("after a reset: %d, %v, %+v", n, err, p.Request)
	}
}

// What was searched for the end of the line is not searched again: a line end put there later goes
// unnoticed.
func TestNoByteIsSearchedTwice(t *testing.T) {
	var p RequestParser
	for _, b := range []string{"get aaaa", "get\naaaa bbbb", "get\naaaa\nbbb\r\n"} {
		n, err := p.Next([]byte(b), &wide)
		if want := len(b) * strings.Count(b[len(b)-1:], "\n"); n != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", b, n, err, want)
		}
	}
}

func TestStrip(t *testing.T) {
	for in, want := range map[string]string{
		"set k 0 0 1 noreply\r\nx\r\n":        "set k 0 0 1\r\nx\r\n",
		" set  k 0 0 1   noreply  \nx\r\n":    " set  k 0 0 1    \nx\r\n",
		"delete noreply noreply\r\n":          "delete noreply\r\n",
		"flush_all noreply\r\n":               "flush_all\r\n",
		"mg q q\r\n":                          "mg q\r\n",
		"mg k q v\r\n":                        "mg k v\r\n",
		"ms k 1 T0 qqq c\r\nq\r\n":            "ms k 1 T0 c\r\nq\r\n",
		"set k 0 0 1\r\nx\r\n":                "set k 0 0 1\r\nx\r\n",
		"ma counter N0 J10 D2 MD q v t c\r\n": "ma counter N0 J10 D2 MD v t c\r\n",
	} {
		b := []byte(in)
		var p RequestParser
		if n, err := p.Next(b, &wide); n != len(b) || err != nil || p.Problem != "" {
			t.Fatal(n, err, p.Problem)
		}
		got := p.Strip(b)
		if string(got) != want || &got[len(got)-1] != &b[len(b)-1] {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestBinaryError(t *testing.T) {
	header := "\x80\x01\x00\x03\x08\x00\x00\x00\x00\x00\x00\x0cOPAQ12345678"
	got := string(AppendBinaryError([]byte("x"), []byte(header)))
	want := "x\x81\x01\x00\x00\x00\x00\x00\x83\x00\x00\x00\x30OPAQ\x00\x00\x00\x00\x00\x00\x00\x00Not supported: use the text or the meta protocol"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		word         string
		n            uint64
		negative, ok bool
	}{
		{"0", 0, false, true},
		{"-0", 0, false, true},
		{"+7", 7, false, true},
		{"-7", 7, true, true},
		{"007", 7, false, true},
		{"18446744073709551615", 1<<64 - 1, false, true},
		{"18446744073709551616", 0, false, false},
		{"184467440737095516150", 0, false, false},
		{"-", 0, false, false},
		{"+", 0, false, false},
		{"--1", 0, false, false},
		{"1x", 0, false, false},
		{"0x1", 0, false, false},
	} {
		if n, negative, ok := integer([]byte(c.word)); n != c.n || negative != c.negative || ok != c.ok {
			t.Errorf("%q: %d, %v, %v", c.word, n, negative, ok)
		}
	}
}

func TestRequestsDoNotAllocate(t *testing.T) {
	stream := []byte("get " + repeated(100, "key:000000000001") + "\r\nset k 0 0 5 noreply\r\nhello\r\nms Zm9v 2 b q T0\r\nhi\r\nwatch\r\nset k 0 0 x\r\nmg Zm9v b k\r\n")
	scratch := make([]byte, len(stream))
	var p RequestParser
	if n := testing.AllocsPerRun(100, func() {
		copy(scratch, stream)
		for rest := scratch; len(rest) > 0; {
			n, err := p.Next(rest, &wide)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			p.Strip(rest[:n])
			rest = rest[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
